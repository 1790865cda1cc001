#include "snapshot/reader.hpp"

#include <algorithm>
#include <array>

#include "snapshot/cipher.hpp"

namespace sessionblocks::snapshot {
namespace {

// The block that damage belongs to which lies between two whole frames; `next` may be missing.
std::uint32_t block_between(const std::optional<FrameHeader>& before,
                            const FrameHeader* next) noexcept {
  if (!before) return kNoBlock;  // the first frame is no block's
  if (before->kind != FrameKind::block_end && before->block != kNoBlock) return before->block;
  return next != nullptr ? next->block : kNoBlock;
}

bool take_entries(std::span<const std::byte> plain, const TakeFileEntry& take,
                  Result<void>& outcome, std::uint64_t& count) {
  ByteReader in(plain);
  while (!in.at_end()) {
    FileEntry entry;
    entry.key = in.bytes(in.bounded(kMaxKeyBytes));
    entry.type = static_cast<Type>(in.byte());
    entry.value = in.bytes(in.varint());
    entry.version = in.varint();
    entry.expires_unix_ms = in.varint();
    if (in.failed() || !is_sound(entry)) return false;
    outcome = take(entry);
    if (!outcome) return true;
    ++count;
  }
  return true;
}

}  // namespace

std::string Damage::text() const {
  std::string line = "frame " + std::to_string(frame) + " at byte " + std::to_string(offset);
  if (!block.empty()) {
    line += ", block " + block;
  } else if (number != kNoBlock) {
    line += ", block number " + std::to_string(number + 1);
  }
  return line + ": " + what;
}

Result<Reader> Reader::open(const std::string& path) {
  return scanned(path, false);
}

Result<Reader> Reader::outline(const std::string& path) {
  return scanned(path, true);
}

Result<Reader> Reader::scanned(const std::string& path, bool skips_entries) {
  auto disk = platform::DiskFile::open_read(path);
  if (!disk) return tl::unexpected(disk.error());
  const auto size = disk->size_bytes();
  if (!size) return tl::unexpected(size.error());
  Reader reader(std::move(*disk), *size);
  reader.skips_entries_ = skips_entries;
  if (auto scanned = reader.scan(); !scanned) return tl::unexpected(scanned.error());
  reader.skips_entries_ = false;
  if (!reader.last_) {
    return fail(Errc::malformed, "snapshot " + path + ": no frame of a snapshot is whole in it");
  }
  reader.keep_described();
  return reader;
}

Result<void> Reader::scan() {
  std::uint64_t offset = 0;
  FrameHeader header;
  std::vector<std::byte> payload;
  while (offset < size_) {
    const Look look = look_at(offset, header, payload);
    if (look != Look::whole) {
      const auto next = pass_damage(offset, look == Look::cut);
      if (!next) return tl::unexpected(next.error());
      offset = *next;
      continue;
    }
    if (auto taken = take_frame({offset, header}, payload); !taken) return taken;
    offset += sizeof header + header.payload_bytes;
  }
  const bool has_end = last_ && last_->kind == FrameKind::file_end;
  if (last_ && !has_end && damage_.empty()) {
    add_damage(size_, last_->number + 1, block_between(last_, nullptr),
               "the file was cut off before it");
  }
  return {};
}

// Where the next whole frame begins, or the end of the file.
Result<std::uint64_t> Reader::pass_damage(std::uint64_t offset, bool is_cut) {
  const std::uint64_t next = next_frame(offset + 1);
  FrameHeader header;
  std::vector<std::byte> payload;
  const bool is_last = next >= size_ || look_at(next, header, payload) != Look::whole;
  add_damage(offset, last_ ? last_->number + 1 : 0,
             block_between(last_, is_last ? nullptr : &header),
             is_last && is_cut ? "the file ends in it" : "its bytes were changed");
  return next;
}

Reader::Look Reader::look_at(std::uint64_t offset, FrameHeader& header,
                             std::vector<std::byte>& payload) const {
  if (size_ - offset < sizeof header) return Look::cut;
  const auto head = disk_.read_at(offset, std::as_writable_bytes(std::span(&header, 1)));
  if (!head || *head != sizeof header || !is_frame(header)) return Look::damaged;
  if (last_ && header.file != last_->file) return Look::damaged;
  if (header.payload_bytes > size_ - offset - sizeof header) return Look::cut;
  payload.clear();
  if (skips_entries_ && header.kind == FrameKind::entries) return Look::whole;
  payload.resize(header.payload_bytes);
  const auto read = disk_.read_at(offset + sizeof header, payload);
  const bool is_whole = read && *read == payload.size() && checksum_holds(header, payload);
  return is_whole ? Look::whole : Look::damaged;
}

// Found by its first bytes; whether it is whole is looked at then.
std::uint64_t Reader::next_frame(std::uint64_t from) const {
  constexpr std::size_t kWindow = 64U << 10U;
  std::array<std::byte, sizeof kFrameMagic> magic{};
  std::memcpy(magic.data(), &kFrameMagic, sizeof kFrameMagic);
  std::vector<std::byte> window(kWindow);
  FrameHeader header;
  std::vector<std::byte> payload;
  while (from < size_) {
    const auto read = disk_.read_at(from, window);
    if (!read || *read < magic.size()) return size_;
    const auto end = window.begin() + static_cast<std::ptrdiff_t>(*read);
    auto at = std::search(window.begin(), end, magic.begin(), magic.end());
    for (; at != end; at = std::search(at + 1, end, magic.begin(), magic.end())) {
      const auto offset = from + static_cast<std::uint64_t>(at - window.begin());
      if (look_at(offset, header, payload) == Look::whole) return offset;
    }
    from += *read - (magic.size() - 1);
  }
  return size_;
}

Result<void> Reader::take_frame(const FrameAt& frame, std::span<const std::byte> payload) {
  const FrameHeader& header = frame.header;
  if (header.version != kFormatVersion) {
    return fail(Errc::unsupported, "snapshot: format version " + std::to_string(header.version) +
                                       "; this program reads " + std::to_string(kFormatVersion));
  }
  const std::uint32_t expected = last_ ? last_->number + 1 : 0;
  if (header.number < expected) {
    add_damage(frame.offset, header.number, header.block, "it stands there a second time");
    return {};
  }
  const bool is_told = !damage_.empty() && damage_.back().frame == expected;
  if (header.number > expected && !is_told) {
    add_damage(frame.offset, expected, block_between(last_, &header), "it is missing");
  }
  last_ = header;
  if (header.kind == FrameKind::file_begin || header.kind == FrameKind::file_end) {
    auto file = FileDescription::decode(payload);
    if (file) file_ = std::move(*file);
    return {};
  }
  Found& found = found_[header.block];
  found.bytes += sizeof header + header.payload_bytes;
  if (header.kind == FrameKind::entries || header.kind == FrameKind::totals) {
    found.encrypted.push_back(frame);
    return {};
  }
  auto block = BlockDescription::decode(payload);
  if (block) {
    found.description = std::move(*block);
    found.digest = digest_of(payload);
  }
  return {};
}

void Reader::add_damage(std::uint64_t offset, std::uint32_t frame, std::uint32_t block,
                        std::string what) {
  damage_.push_back({offset, frame, block, {}, std::move(what)});
}

void Reader::keep_described() {
  for (auto& [number, found] : found_) {
    if (!found.description) {
      add_damage(size_, 0, number, "nothing says which block it was; its entries cannot be read");
      continue;
    }
    numbers_.push_back(number);
    blocks_.push_back({*found.description, found.bytes});
  }
  for (Damage& damage : damage_) {
    const auto found = found_.find(damage.number);
    if (found != found_.end() && found->second.description) {
      damage.block = found->second.description->name;
    }
  }
}

Result<std::size_t> Reader::find(std::string_view name) const {
  std::vector<std::size_t> fitting;
  std::string names;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const BlockDescription& block = blocks_[i].description;
    const std::string id = "#" + std::to_string(raw(block.id));
    if (name.empty() || name == block.name || name == id) {
      fitting.push_back(i);
      names += (names.empty() ? "" : ", ") + id + " " + block.name + " of " + block.owner;
    }
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty()) return fail(Errc::no_such_block, std::string(name) + " in the snapshot");
  return fail(Errc::invalid_argument, "the snapshot has several: " + names + "; name one");
}

Result<std::uint64_t> Reader::entries(std::size_t index, const Key& key) const {
  const Found& found = found_.at(numbers_.at(index));
  FrameHeader header;
  std::vector<std::byte> payload;
  for (const FrameAt& frame : found.encrypted) {
    if (frame.header.kind != FrameKind::totals) continue;
    if (look_at(frame.offset, header, payload) != Look::whole) continue;
    const auto plain = unseal(key, header, found.digest, payload);
    if (!plain) return tl::unexpected(plain.error());
    return ByteReader(*plain).varint();
  }
  return fail(Errc::corrupt,
              "snapshot: how many entries " + blocks_[index].description.name + " has is missing");
}

Result<void> Reader::read(std::size_t index, const Key& key, const TakeFileEntry& take) {
  const std::uint32_t number = numbers_.at(index);
  const Found& found = found_.at(number);
  const std::string& name = blocks_[index].description.name;
  Result<void> outcome;
  std::uint64_t count = 0;
  std::uint64_t told = 0;
  bool has_totals = false;
  FrameHeader header;
  std::vector<std::byte> payload;
  const std::size_t damage_before = damage_.size();
  for (const FrameAt& frame : found.encrypted) {
    const auto spoilt = [&](const char* what) {
      damage_.push_back({frame.offset, frame.header.number, number, name, what});
    };
    if (look_at(frame.offset, header, payload) != Look::whole) {
      spoilt("it was changed while it was read");
      continue;
    }
    const auto plain = unseal(key, header, found.digest, payload);
    if (!plain) {
      if (!(plain.error() == Errc::corrupt)) return tl::unexpected(plain.error());
      spoilt("the block's key does not open it: it was altered, or belongs elsewhere");
    } else if (header.kind == FrameKind::totals) {
      ByteReader in(*plain);
      told = in.varint();
      has_totals = true;
    } else if (!take_entries(*plain, take, outcome, count)) {
      spoilt("it holds no entries");
    }
    if (!outcome) return outcome;
  }
  const bool is_whole = damage_before == damage_.size() &&
                        std::none_of(damage_.begin(), damage_.end(),
                                     [&](const auto& one) { return one.number == number; });
  if (is_whole && (!has_totals || told != count)) {
    damage_.push_back({size_, 0, number, name, "entries of it are missing"});
  }
  return {};
}

}  // namespace sessionblocks::snapshot
