// SharedHashFile on tmpfs, from a source folder that the user names (AGPL; nothing of it is here).
extern "C" {
#include <shf.private.h>
// after it: the public header uses its types
#include <shf.h>
}

#include <cstring>

#include "failure.hpp"
#include "memory.hpp"
#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

constexpr const char* kName = "bench";

class SharedHashFileHost final : public Host {
 public:
  explicit SharedHashFileHost(const Plan& plan) : folder_(plan.memory_folder) {
    ::shf_init();
    shf_ = ::shf_attach(folder_.c_str(), kName, 0);
    if (shf_ == nullptr) give_up("SharedHashFile: attach");
  }
  ~SharedHashFileHost() override { ::shf_detach(shf_); }
  [[nodiscard]] std::string address() const override { return folder_.native(); }
  [[nodiscard]] std::uint64_t memory_bytes() const override {
    return allocated_bytes_under(folder_);
  }

 private:
  std::filesystem::path folder_;
  SHF* shf_ = nullptr;
};

class SharedHashFileClient final : public OneByOne<SharedHashFileClient> {
 public:
  explicit SharedHashFileClient(const std::string& folder) {
    ::shf_init();
    shf_ = ::shf_attach_existing(folder.c_str(), kName);
    if (shf_ == nullptr) give_up("SharedHashFile: attach to " + folder);
  }
  ~SharedHashFileClient() override { ::shf_detach(shf_); }

  // Its copy ends in a buffer of its own; the second one makes it the caller's, as for all.
  Outcome get(Operation& operation) {
    hash(operation);
    if (::shf_get_key_val_copy(shf_) != SHF_RET_KEY_FOUND) return Outcome::absent;
    if (shf_val_len > operation.bytes.size()) return Outcome::failed;
    std::memcpy(operation.bytes.data(), shf_val, shf_val_len);
    operation.copied_bytes = shf_val_len;
    return Outcome::done;
  }
  Outcome put(Operation& operation) { return store(operation, operation.bytes); }
  Outcome increment(Operation& operation) {
    hash(operation);
    if (::shf_add_key_val_atom(shf_, 1) != SHF_RET_KEY_FOUND) return Outcome::failed;
    operation.sum = shf_val_long;
    return Outcome::done;
  }
  Outcome reset(Operation& operation) {
    const long zero = 0;
    return store(operation, std::as_bytes(std::span(&zero, 1)));
  }
  Outcome erase(Operation& operation) {
    hash(operation);
    return ::shf_del_key_val(shf_) == SHF_RET_KEY_FOUND ? Outcome::done : Outcome::absent;
  }

 private:
  static void hash(const Operation& operation) {
    ::shf_make_hash(operation.key.data(), static_cast<std::uint32_t>(operation.key.size()));
  }
  // In place where there is a value of this size; its put would add a second one of the same key.
  Outcome store(const Operation& operation, std::span<const std::byte> value) {
    const auto* const bytes = reinterpret_cast<const char*>(value.data());
    const auto size = static_cast<std::uint32_t>(value.size());
    hash(operation);
    ::shf_upd_callback_copy(bytes, size);
    const std::uint32_t updated = ::shf_upd_key_val(shf_);
    if (updated == SHF_RET_KEY_FOUND) return Outcome::done;
    if (updated != SHF_RET_KEY_NONE) return Outcome::failed;
    return ::shf_put_key_val(shf_, bytes, size) == SHF_UID_NONE ? Outcome::failed : Outcome::done;
  }

  SHF* shf_ = nullptr;
};

class SharedHashFilePeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "sharedhashfile"; }
  [[nodiscard]] std::string version() const override {
    return "SharedHashFile of " SESSIONBLOCKS_SHAREDHASHFILE_FOLDER;
  }
  [[nodiscard]] std::string options() const override {
    return "on tmpfs, lockable, values of any length, updated in place";
  }
  [[nodiscard]] std::string promise() const override {
    return "killed while it holds a window's spin lock: others wait for ever there, "
           "and a value may be torn";
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<SharedHashFileHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<SharedHashFileClient>(address);
  }
};

}  // namespace

void add_sharedhashfile(Peers& peers) {
  peers.push_back(std::make_unique<SharedHashFilePeer>());
}

}  // namespace sessionblocks::bench
