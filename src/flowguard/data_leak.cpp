#include "flowguard/data_leak.hpp"

#include <sodium.h>

#include <algorithm>

#include "director/suite_words.hpp"
#include "flowguard/data_access.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::flowguard {
namespace {

using director::Registry;
using director::StoredBlock;

constexpr std::uint64_t kNoChunk = UINT64_MAX;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// What a pattern leaves open of a key that it matches. A pattern of stars alone says nothing of the
// key: it is there to cover values, and keys such as "name" stand everywhere.
std::string_view open_part(std::string_view key, const director::SensitivePatterns& patterns) {
  for (const std::string& pattern : patterns) {
    const auto first = pattern.find('*');
    const auto last = pattern.rfind('*');
    if (first == std::string::npos || pattern.size() == last - first + 1) continue;
    if (!director::matches_pattern(pattern, key)) continue;
    const std::size_t behind = pattern.size() - last - 1;
    return key.substr(first, key.size() - first - behind);
  }
  return {};
}

std::string_view word(Form form) {
  if (form == Form::hex) return ", as hex,";
  return form == Form::base64 ? ", as base64," : "";
}

}  // namespace

// A block under watch: how far its walks are, and what of it is looked for.
struct DataLeakDetector::Watched {
  Watched(const StoredBlock& block, const FingerprintSet& set)
      : entries(std::make_unique<ChangedEntries>(block)), scanners{Scanner(set), Scanner(set)} {}

  std::unique_ptr<ChangedEntries> entries;
  Scanner scanners[2];                                     // of the two walks
  std::map<std::string, Secret> secrets;                   // by masked key
  std::map<std::uint64_t, std::vector<std::string>> seen;  // by chunk, those secrets
  std::vector<std::string> in_chunk;                       // of the chunk at hand
  bool is_new_index = false;
};

class DataLeakDetector::Visit final : public EntryVisitor {
 public:
  Visit(DataLeakDetector& detector, Registry& registry, const StoredBlock& block, Watched& watched,
        ChangedEntries::Which which)
      : detector_(&detector),
        registry_(&registry),
        block_(&block),
        watched_(&watched),
        which_(which) {}

  void piece(const EntryPiece& piece) override {
    if (piece.is_first) {
      scanner().finish().clear();
      if (is_changed() && block_->mask != nullptr && block_->mask->covers(piece.key)) {
        detector_->learn(*watched_, *block_, piece);
      }
      scanner().feed(bytes_of(piece.key));
      report(piece, true);
    }
    scanner().feed(piece.value);
    if (piece.is_last) report(piece, false);
  }
  void cut_off() override { static_cast<void>(scanner().finish()); }

  void chunk_done(std::uint64_t chunk, bool is_whole) override {
    if (!is_changed()) return;
    auto& before = watched_->seen[chunk];
    std::vector<std::string> now = std::exchange(watched_->in_chunk, {});
    for (const std::string& key : before) {
      if (std::find(now.begin(), now.end(), key) != now.end()) continue;
      const auto gone = watched_->secrets.find(key);
      if (gone == watched_->secrets.end() || gone->second.chunk != chunk) continue;
      if (!is_whole) {
        now.push_back(key);
        continue;
      }
      detector_->retire(gone->second, {block_->id, key});
      watched_->secrets.erase(gone);
      --detector_->secrets_;
    }
    before = std::move(now);
    if (before.empty()) watched_->seen.erase(chunk);
  }

  // Which entries are in it is known when the walk is over.
  void index_changed() override {
    watched_->seen.clear();
    watched_->in_chunk.clear();
    for (auto& [key, secret] : watched_->secrets) secret.chunk = kNoChunk;
    watched_->is_new_index = true;
    for (Scanner& scanner : watched_->scanners) static_cast<void>(scanner.finish());
  }

 private:
  [[nodiscard]] bool is_changed() const { return which_ == ChangedEntries::Which::changed; }
  [[nodiscard]] Scanner& scanner() const { return watched_->scanners[is_changed() ? 0 : 1]; }
  void report(const EntryPiece& piece, bool is_in_key) {
    for (const Match& match : scanner().finish()) {
      detector_->report(*registry_, *block_, piece, match, is_in_key);
    }
  }

  DataLeakDetector* detector_;
  Registry* registry_;
  const StoredBlock* block_;
  Watched* watched_;
  ChangedEntries::Which which_;
};

std::string LeakFound::text() const {
  std::string text = is_whole ? "all " : "";
  text += std::to_string(bytes) + " bytes of " + director::quote(source_key);
  text += std::string(word(form)) + (is_in_key ? " in the key " : " in the value of ");
  text += director::quote(target_key) + ", which " + reader + " may read";
  if (writer) text += "; written by worker " + std::to_string(raw(*writer));
  return text;
}

DataLeakDetector::DataLeakDetector(std::size_t most_windows) : set_(most_windows) {
  randombytes_buf(hash_key_.data(), hash_key_.size());
}

DataLeakDetector::~DataLeakDetector() = default;

void DataLeakDetector::note_written(BlockId block) {
  urgent_.insert(block);
}

LeakCounts DataLeakDetector::counts() const noexcept {
  return {secrets_, set_.windows(), set_.too_short(), set_.left_out() + left_out_,
          walks_,   full_walks_};
}

std::vector<LeakFound> DataLeakDetector::pass(Registry& registry, std::uint64_t budget_us) {
  const std::uint64_t deadline_ns = platform::monotonic_ns() + budget_us * 1'000;
  every_ = registry.blocks.mask_of({std::string(director::kEveryKey)});
  forget_gone(registry);
  drop_retired(platform::monotonic_coarse_ms());
  const bool has_sources =
      std::any_of(registry.blocks.all().begin(), registry.blocks.all().end(),
                  [](const auto& block) { return block.second.mask != nullptr; });
  readers_.clear();
  if (!has_sources) {
    watched_.clear();
    order_.clear();
    all_order_.clear();
    urgent_.clear();
    wants_all_ = false;
    return {};
  }
  walk_urgent(registry, deadline_ns);
  if (walk_changed(registry, deadline_ns)) walk_all(registry, deadline_ns);
  return std::exchange(found_, {});
}

// Blocks that ended, and generations that are another one by now.
void DataLeakDetector::forget_gone(Registry& registry) {
  for (auto at = watched_.begin(); at != watched_.end();) {
    const StoredBlock* const block = registry.blocks.find(at->first);
    const bool is_gone = block == nullptr || !block->is_maintained();
    if (!is_gone && block->generation == at->second->entries->generation()) {
      ++at;
      continue;
    }
    for (auto& [key, secret] : at->second->secrets) {
      const Origin origin{at->first, key};
      if (is_gone) {
        for (const ValueId value : secret.values) drop(value, origin);
      } else {
        retire(secret, origin);
      }
      --secrets_;
    }
    at = watched_.erase(at);
  }
}

DataLeakDetector::Watched* DataLeakDetector::watch(Registry& registry, BlockId id) {
  const StoredBlock* const block = registry.blocks.find(id);
  if (block == nullptr || !block->is_maintained()) return nullptr;
  auto& watched = watched_[id];
  if (!watched) watched = std::make_unique<Watched>(*block, set_);
  return watched.get();
}

void DataLeakDetector::begin_walk(Registry& registry) {
  order_.clear();
  next_ = 0;
  for (const bool is_source : {true, false}) {
    for (const auto& [id, block] : registry.blocks.all()) {
      if (block.is_maintained() && (block.mask != nullptr) == is_source) order_.push_back(id);
    }
  }
}

// One walk over each, as far as there is time.
void DataLeakDetector::walk_urgent(Registry& registry, std::uint64_t deadline_ns) {
  const std::set<BlockId> urgent = std::exchange(urgent_, {});
  for (const bool is_source : {true, false}) {
    for (const BlockId id : urgent) {
      Watched* const watched = watch(registry, id);
      if (watched == nullptr) continue;
      const StoredBlock& block = *registry.blocks.find(id);
      if ((block.mask != nullptr) != is_source) continue;
      Visit visit(*this, registry, block, *watched, ChangedEntries::Which::changed);
      while (platform::monotonic_ns() < deadline_ns &&
             watched->entries->step(ChangedEntries::Which::changed, visit)) {
      }
    }
  }
}

// Whether the walk over what changed is over.
bool DataLeakDetector::walk_changed(Registry& registry, std::uint64_t deadline_ns) {
  if (next_ >= order_.size()) begin_walk(registry);
  for (; next_ < order_.size(); ++next_) {
    Watched* const watched = watch(registry, order_[next_]);
    if (watched == nullptr) continue;
    Visit visit(*this, registry, *registry.blocks.find(order_[next_]), *watched,
                ChangedEntries::Which::changed);
    while (watched->entries->step(ChangedEntries::Which::changed, visit)) {
      if (platform::monotonic_ns() >= deadline_ns) return false;
    }
    // Secrets of an index that went, and that no chunk of the new one had.
    if (!std::exchange(watched->is_new_index, false)) continue;
    for (auto at = watched->secrets.begin(); at != watched->secrets.end();) {
      if (at->second.chunk != kNoChunk) {
        ++at;
        continue;
      }
      retire(at->second, {order_[next_], at->first});
      --secrets_;
      at = watched->secrets.erase(at);
    }
  }
  ++walks_;
  return true;
}

void DataLeakDetector::walk_all(Registry& registry, std::uint64_t deadline_ns) {
  if (all_next_ >= all_order_.size()) {
    if (!wants_all_) return;
    wants_all_ = false;
    all_order_ = order_;
    all_next_ = 0;
  }
  for (; all_next_ < all_order_.size(); ++all_next_) {
    Watched* const watched = watch(registry, all_order_[all_next_]);
    if (watched == nullptr) continue;
    Visit visit(*this, registry, *registry.blocks.find(all_order_[all_next_]), *watched,
                ChangedEntries::Which::all);
    while (watched->entries->step(ChangedEntries::Which::all, visit)) {
      if (platform::monotonic_ns() >= deadline_ns) return;
    }
  }
  ++full_walks_;
}

void DataLeakDetector::learn(Watched& watched, const StoredBlock& block, const EntryPiece& piece) {
  const std::string shown = block.mask->shown(piece.key);
  watched.in_chunk.push_back(shown);
  const auto known = watched.secrets.find(shown);
  if (known != watched.secrets.end()) {
    known->second.chunk = piece.chunk;
    if (known->second.version == piece.version) return;
    retire(known->second, {block.id, shown});
  } else if (secrets_ >= kMostSecrets) {
    ++left_out_;
    return;
  } else {
    ++secrets_;
  }
  Secret& secret = watched.secrets[shown];
  secret.version = piece.version;
  secret.chunk = piece.chunk;
  const Origin origin{block.id, shown};
  secret.values = {look_for(piece.value, origin)};
  const std::string_view open = open_part(piece.key, block.mask->patterns());
  if (open.size() >= kLeastBytes) secret.values.push_back(look_for(bytes_of(open), origin));
  wants_all_ = true;
}

std::uint64_t DataLeakDetector::hash_of(std::span<const std::byte> bytes) const noexcept {
  std::uint64_t hash = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                   hash_key_.data());
  return hash;
}

ValueId DataLeakDetector::look_for(std::span<const std::byte> bytes, const Origin& origin) {
  const Content content{hash_of(bytes), bytes.size()};
  if (const auto known = by_content_.find(content); known != by_content_.end()) {
    values_.at(known->second).origins.push_back(origin);
    return known->second;
  }
  while (!retired_.empty() && set_.windows() + bytes.size() > set_.most_windows()) drop_oldest();
  const ValueId value = set_.add(bytes);
  by_content_.emplace(content, value);
  values_.emplace(value, Value{content, {origin}});
  return value;
}

void DataLeakDetector::retire(Secret& secret, const Origin& origin) {
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  for (const ValueId value : secret.values) retired_.push_back({value, origin, now_ms});
  secret.values.clear();
}

void DataLeakDetector::drop(ValueId value, const Origin& origin) {
  const auto found = values_.find(value);
  if (found == values_.end()) return;
  auto& origins = found->second.origins;
  if (const auto one = std::find(origins.begin(), origins.end(), origin); one != origins.end()) {
    origins.erase(one);
  }
  if (!origins.empty()) return;
  set_.remove(value);
  by_content_.erase(found->second.content);
  values_.erase(found);
}

void DataLeakDetector::drop_oldest() {
  const Retired oldest = std::move(retired_.front());
  retired_.pop_front();
  drop(oldest.value, oldest.origin);
}

void DataLeakDetector::drop_retired(std::uint64_t now_ms) {
  const auto is_due = [&](const Retired& one) { return now_ms - one.at_ms >= kKeptMs; };
  while (!retired_.empty() && (is_due(retired_.front()) || retired_.size() > kMostSecrets)) {
    drop_oldest();
  }
}

namespace {

// A fork of it, or of a fork.
bool descends_from(Registry& registry, const StoredBlock& block, BlockId origin) {
  constexpr int kLongest = 64;
  const StoredBlock* at = &block;
  for (int links = 0; at != nullptr && links < kLongest; ++links) {
    if (at->policy.kind != sessionblocks::BlockKind::forked) return false;
    if (at->origin == origin) return true;
    at = registry.blocks.find(at->origin);
  }
  return false;
}

}  // namespace

void DataLeakDetector::report(Registry& registry, const StoredBlock& target,
                              const EntryPiece& piece, const Match& match, bool is_in_key) {
  const auto value = values_.find(match.value);
  if (value == values_.end()) return;
  const bool is_masked = is_in_key || (target.mask != nullptr && target.mask->covers(piece.key));
  LeakFound found;
  found.target = target.id;
  found.target_key = is_masked ? every_->shown(piece.key) : std::string(piece.key);
  found.version = piece.version;
  found.is_in_key = is_in_key;
  found.form = match.form;
  found.is_whole = match.is_whole;
  found.bytes = match.bytes;
  found.writer = piece.writer;
  for (const Origin& origin : value->second.origins) {
    found.source = origin.block;
    found.source_key = origin.key;
    report(registry, target, found, piece.key);
  }
}

void DataLeakDetector::report(Registry& registry, const StoredBlock& target, LeakFound found,
                              std::string_view target_key) {
  const StoredBlock* const source = registry.blocks.find(found.source);
  if (source == nullptr || source->id == target.id) return;
  const bool is_sensitive_there = target.mask != nullptr && target.mask->covers(target_key);
  if (is_sensitive_there && descends_from(registry, *source, target.id)) return;
  const std::pair between(source->id, target.id);
  auto reader = readers_.find(between);
  if (reader == readers_.end()) {
    reader = readers_.emplace(between, who_reads_only(registry, *source, target)).first;
  }
  if (!reader->second) return;
  found.reader = *reader->second;
  const std::string what = std::to_string(raw(found.source)) + " " + found.source_key + " " +
                           std::to_string(raw(found.target)) + " " + every_->shown(target_key) +
                           " " + std::to_string(found.version);
  const std::uint64_t hash = hash_of(bytes_of(what));
  if (!said_.insert(hash).second) return;
  said_order_.push_back(hash);
  if (said_order_.size() > kMostFindings) {
    said_.erase(said_order_.front());
    said_order_.pop_front();
  }
  found_.push_back(std::move(found));
}

}  // namespace sessionblocks::flowguard
