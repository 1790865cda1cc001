#include "director/suite_reader.hpp"

#include <algorithm>

#include "core/units.hpp"

namespace sessionblocks::director {

using Type = TomlNode::Type;

std::filesystem::path resolve(const std::filesystem::path& folder, const std::string& text) {
  if (text.empty()) return {};
  auto path = (folder / text).lexically_normal();
  // "data/" and "data" are one folder and must compare as one.
  return path.has_filename() ? path : path.parent_path();
}

TableReader::TableReader(const TomlNode& table, SourceLocation self, Places& where,
                         Problems& problems, std::string prefix)
    : table_(table), where_(where), problems_(problems), prefix_(std::move(prefix)) {
  if (prefix_.empty()) where_.self = self;
}

const TomlNode* TableReader::find(std::string_view key) {
  known_.push_back(key);
  const auto found = std::find_if(table_.members.begin(), table_.members.end(),
                                  [&](const TomlMember& member) { return member.key == key; });
  if (found == table_.members.end()) return nullptr;
  where_.keys.insert_or_assign(full_key(key), found->value.where);
  return &found->value;
}

const TomlNode* TableReader::find(std::string_view key, Type type) {
  const TomlNode* node = find(key);
  if (node == nullptr || node->type == type) return node;
  refuse_type(key, *node, type_name(type));
  return nullptr;
}

void TableReader::boolean(std::string_view key, bool& out) {
  if (const TomlNode* node = find(key, Type::boolean)) out = node->boolean;
}

void TableReader::text(std::string_view key, std::string& out) {
  if (const TomlNode* node = find(key, Type::text)) out = node->text;
}

void TableReader::text(std::string_view key, std::optional<std::string>& out) {
  if (const TomlNode* node = find(key, Type::text)) out = node->text;
}

void TableReader::texts(std::string_view key, std::vector<std::string>& out) {
  const TomlNode* node = find(key, Type::array);
  if (node == nullptr) return;
  for (const TomlNode& item : node->items) {
    if (item.type != Type::text) {
      refuse_type(key, item, "an array of texts");
      continue;
    }
    where_.keys.insert_or_assign(full_key(key) + "." + std::to_string(out.size()), item.where);
    out.push_back(item.text);
  }
}

void TableReader::text_map(std::string_view key, std::map<std::string, std::string>& out) {
  const TomlNode* node = find(key, Type::table);
  if (node == nullptr) return;
  for (const TomlMember& member : node->members) {
    where_.keys.insert_or_assign(full_key(key) + "." + member.key, member.where);
    if (member.value.type == Type::text) {
      out.insert_or_assign(member.key, member.value.text);
    } else {
      refuse_type(std::string(key) + "." + member.key, member.value, "a text");
    }
  }
}

bool TableReader::integer_in(std::string_view key, std::int64_t min, std::int64_t max,
                             std::int64_t& out) {
  const TomlNode* node = find(key, Type::integer);
  if (node == nullptr) return false;
  if (node->integer < min || node->integer > max) {
    refuse(key, node->where,
           full_key(key) + " must be " + std::to_string(min) + " to " + std::to_string(max) +
               ", not " + std::to_string(node->integer));
    return false;
  }
  out = node->integer;
  return true;
}

void TableReader::size_bytes(std::string_view key, std::uint64_t& out) {
  std::optional<std::uint64_t> size;
  size_bytes(key, size);
  out = size.value_or(out);
}

void TableReader::size_bytes(std::string_view key, std::optional<std::uint64_t>& out) {
  const TomlNode* node = find(key, Type::text);
  if (node == nullptr) return;
  if (const auto value = units::parse_size(node->text)) {
    out = *value;
  } else {
    refuse(key, node->where,
           full_key(key) + " is " + quote(node->text) + ": " + value.error().context());
  }
}

std::optional<std::uint64_t> TableReader::duration(std::string_view key) {
  const TomlNode* node = find(key, Type::text);
  if (node == nullptr) return std::nullopt;
  const auto value = units::parse_duration_ms(node->text);
  if (value) return *value;
  refuse(key, node->where,
         full_key(key) + " is " + quote(node->text) + ": " + value.error().context());
  return std::nullopt;
}

void TableReader::duration_ms(std::string_view key, std::uint64_t& out) {
  if (const auto value = duration(key)) out = *value;
}

void TableReader::duration_ms(std::string_view key, std::optional<std::uint64_t>& out) {
  if (const auto value = duration(key)) out = *value;
}

void TableReader::path(std::string_view key, const std::filesystem::path& folder,
                       std::optional<std::filesystem::path>& out) {
  if (const TomlNode* node = find(key, Type::text)) out = resolve(folder, node->text);
}

void TableReader::paths(std::string_view key, const std::filesystem::path& folder,
                        std::vector<std::filesystem::path>& out) {
  std::vector<std::string> spelled;
  texts(key, spelled);
  for (const std::string& text : spelled) out.push_back(resolve(folder, text));
}

std::optional<ScopeRef> TableReader::scope_at(std::string_view key) {
  const TomlNode* node = find(key, Type::text);
  if (node == nullptr) return std::nullopt;
  auto scope = parse_scope_ref(node->text);
  if (!scope) {
    refuse(key, node->where,
           full_key(key) +
               " must be \"suite\", \"script.NAME\", \"worker\" or "
               "\"flow.NAME\", not " +
               quote(node->text));
  }
  return scope;
}

void TableReader::scope(std::string_view key, ScopeRef& out) {
  if (auto scope = scope_at(key)) out = std::move(*scope);
}

void TableReader::scope(std::string_view key, std::optional<ScopeRef>& out) {
  if (auto scope = scope_at(key)) out = std::move(scope);
}

void TableReader::rights(std::string_view key, RightsByScript& out) {
  const TomlNode* node = find(key, Type::table);
  if (node == nullptr) return;
  for (const TomlMember& member : node->members) {
    const std::string name = std::string(key) + "." + member.key;
    where_.keys.insert_or_assign(full_key(key) + "." + member.key, member.where);
    if (member.value.type != Type::text) {
      refuse_type(name, member.value, "\"r\" or \"rw\"");
    } else if (const auto rights = value_of<Rights>(member.value.text)) {
      out.insert_or_assign(member.key, *rights);
    } else {
      refuse_word(name, member.value, spellings<Rights>());
    }
  }
}

void TableReader::finish() {
  for (const TomlMember& member : table_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    problems_.add(member.where,
                  "unknown key " + quote(full_key(member.key)) + suggestion(member.key, known_));
  }
}

void TableReader::refuse(std::string_view key, SourceLocation where, std::string message) {
  // A part that cannot be read ("grants.checkout") leaves the whole ("grants") incomplete.
  where_.unread.insert(full_key(key.substr(0, key.find('.'))));
  problems_.add(where, std::move(message));
}

void TableReader::refuse_word(std::string_view key, const TomlNode& node,
                              const std::vector<std::string_view>& choices) {
  refuse(key, node.where,
         full_key(key) + " must be " + list_of(choices) + ", not " + quote(node.text) +
             suggestion(node.text, choices));
}

void TableReader::refuse_type(std::string_view key, const TomlNode& node,
                              std::string_view expected) {
  refuse(key, node.where,
         full_key(key) + " must be " + std::string(expected) + ", not " +
             std::string(type_name(node.type)));
}

std::string TableReader::full_key(std::string_view key) const {
  return prefix_ + std::string(key);
}

}  // namespace sessionblocks::director
