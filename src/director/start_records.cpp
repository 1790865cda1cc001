#include "director/start_records.hpp"

#include "platform/disk_file.hpp"
#include "platform/os_error.hpp"
#include "session/message.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;
using platform::DiskFile;

Result<void> write_all(const std::string& path, std::span<const std::uint8_t> bytes) {
  auto file = DiskFile::create(path);
  if (!file) return tl::unexpected(file.error());
  auto rest = std::as_bytes(bytes);
  while (!rest.empty()) {
    const auto done = file->write_some(rest);
    if (!done) return tl::unexpected(done.error());
    rest = rest.subspan(*done);
  }
  return {};
}

std::optional<StartRecord> record_of(const Message& message) try {
  StartRecord record;
  record.request.script = message.at("script").get<std::string>();
  record.request.arguments = message.at("args").get<std::vector<std::string>>();
  record.request.worker = static_cast<WorkerId>(message.at("worker").get<std::uint32_t>());
  record.request.number = message.at("number").get<std::uint64_t>();
  record.is_prepared = message.at("prepared").get<bool>();
  return record;
} catch (const Message::exception&) {
  return std::nullopt;
}

}  // namespace

Result<void> StartRecords::write(const StartRecord& record) const {
  const StartRequest& request = record.request;
  const auto bytes = encode_message({{"script", request.script},
                                     {"args", request.arguments},
                                     {"worker", raw(request.worker)},
                                     {"number", request.number},
                                     {"prepared", record.is_prepared}});
  if (!bytes) return tl::unexpected(bytes.error());
  if (auto made = platform::make_folder(folder_.native()); !made) return made;
  const fs::path path = folder_ / request.script;
  const fs::path beside = folder_ / (request.script + ".new");  // no script's name has a dot
  std::error_code error;
  fs::remove(beside, error);
  auto written = write_all(beside.native(), *bytes);
  if (written) fs::rename(beside, path, error);
  if (written && error)
    written = tl::unexpected(platform::os_error(error.value(), "make", path.native()));
  if (!written) fs::remove(beside, error);
  return written;
}

std::optional<StartRecord> StartRecords::read(const std::string& script) const {
  const auto file = DiskFile::open_read((folder_ / script).native());
  if (!file) return std::nullopt;
  std::vector<std::uint8_t> bytes(kMaxMessageBytes);
  const auto length = file->read_at(0, std::as_writable_bytes(std::span(bytes)));
  if (!length) return std::nullopt;
  const auto message = decode_message(std::span(bytes).first(*length));
  return message ? record_of(*message) : std::nullopt;
}

void StartRecords::remove_all() const noexcept {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace sessionblocks::director
