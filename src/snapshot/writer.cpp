#include "snapshot/writer.hpp"

#include "platform/random.hpp"
#include "snapshot/cipher.hpp"

namespace sessionblocks::snapshot {

Result<Writer> Writer::create(const std::string& path, const FileDescription& description,
                              std::size_t frame_bytes) {
  auto file = platform::DiskFile::create(path);
  if (!file) return tl::unexpected(file.error());
  Writer writer(std::move(*file), frame_bytes);
  auto begun = platform::random_bytes(std::as_writable_bytes(std::span(writer.id_)));
  description.encode(writer.file_text_);
  if (begun) begun = writer.add_plain(FrameKind::file_begin, writer.file_text_.bytes());
  if (!begun) return tl::unexpected(begun.error());
  return writer;
}

FrameHeader Writer::next_header(FrameKind kind) noexcept {
  FrameHeader header;
  header.kind = kind;
  header.number = frames_++;
  header.block = in_block_ ? blocks_ : kNoBlock;
  header.file = id_;
  return header;
}

Result<void> Writer::add_plain(FrameKind kind, std::span<const std::byte> payload) {
  append_frame(out_, next_header(kind), payload);
  return write_out();
}

Result<void> Writer::add_encrypted(FrameKind kind, std::span<const std::byte> plain) {
  FrameHeader header = next_header(kind);
  const auto payload = seal(key_, header, description_, plain);
  if (!payload) return tl::unexpected(payload.error());
  append_frame(out_, header, *payload);
  return write_out();
}

Result<void> Writer::write_out() {
  bytes_ += out_.size();
  auto written = file_.write_all(out_.bytes());
  out_.clear();
  return written;
}

Result<void> Writer::begin_block(const BlockDescription& block, const Key& key) {
  in_block_ = true;
  block_entries_ = 0;
  key_ = key;
  block_text_.clear();
  block.encode(block_text_);
  description_ = digest_of(block_text_.bytes());
  return add_plain(FrameKind::block_begin, block_text_.bytes());
}

Result<void> Writer::put(const FileEntry& entry) {
  if (!is_sound(entry)) return fail(Errc::corrupt, "snapshot: an entry that no writer makes");
  const std::size_t most = entry.key.size() + entry.value.size() + 5 * kMaxVarintBytes;
  if (plain_.size() != 0 && plain_.size() + most > frame_bytes_) {
    if (auto flushed = flush_entries(); !flushed) return flushed;
  }
  plain_.put_varint(entry.key.size());
  plain_.put_bytes(entry.key);
  plain_.put_byte(static_cast<std::uint8_t>(entry.type));
  plain_.put_varint(entry.value.size());
  plain_.put_bytes(entry.value);
  plain_.put_varint(entry.version);
  plain_.put_varint(entry.expires_unix_ms);
  ++block_entries_;
  ++entries_;
  return {};
}

Result<void> Writer::flush_entries() {
  if (plain_.size() == 0) return {};
  auto added = add_encrypted(FrameKind::entries, plain_.bytes());
  plain_.clear();
  return added;
}

Result<void> Writer::end_block() {
  if (auto flushed = flush_entries(); !flushed) return flushed;
  ByteBuffer totals;
  totals.put_varint(block_entries_);
  if (auto added = add_encrypted(FrameKind::totals, totals.bytes()); !added) return added;
  auto ended = add_plain(FrameKind::block_end, block_text_.bytes());
  in_block_ = false;
  ++blocks_;
  return ended;
}

Result<void> Writer::finish() {
  if (auto ended = add_plain(FrameKind::file_end, file_text_.bytes()); !ended) return ended;
  return file_.sync();
}

}  // namespace sessionblocks::snapshot
