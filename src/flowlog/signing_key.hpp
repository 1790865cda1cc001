// The key pair that signs a log's checkpoints (Ed25519), and the file of public keys beside a log.
//
// The secret key is one file of 64 bytes that its owner alone can read, in the state folder. The
// public one is a line of log.pub in the log's folder, made to be copied to where whoever can
// write the log cannot write: with that copy the log is proved. A log whose key was lost goes on
// with a new one; log.pub then has a line for each.
// One thread. A key is on the disk before anything is signed with it.
#pragma once

#include <array>
#include <cstddef>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

namespace sessionblocks::flowlog {

using PublicKey = std::array<unsigned char, 32>;
using Signature = std::array<unsigned char, 64>;

class SigningKey {
 public:
  // The key in `file`, made now if there is none. denied: another user's file, or others may read
  // it; malformed: damaged; out_of_memory: the disk is full; io_error.
  [[nodiscard]] static Result<SigningKey> open(const std::string& file);
  SigningKey(const SigningKey&) noexcept = default;
  SigningKey& operator=(const SigningKey&) noexcept = default;
  ~SigningKey();  // zeroes the secret

  [[nodiscard]] const PublicKey& public_key() const noexcept { return public_; }
  [[nodiscard]] Signature sign(std::span<const std::byte> bytes) const noexcept;

 private:
  SigningKey() noexcept = default;
  [[nodiscard]] static Result<SigningKey> make(const std::string& file);
  [[nodiscard]] bool derive_public() noexcept;

  std::array<unsigned char, 64> secret_{};
  PublicKey public_{};
};

[[nodiscard]] bool holds(const Signature& signature, std::span<const std::byte> bytes,
                         const PublicKey& key) noexcept;

inline constexpr const char* kPublicKeyFile = "log.pub";

[[nodiscard]] std::string hex(const PublicKey& key);
// A line is "ed25519 " and 64 hexadecimal digits; the newest key comes last. not_found: no such
// file; malformed: a line that is none, or no key in it.
[[nodiscard]] Result<std::vector<PublicKey>> read_public_keys(const std::string& file);
// Adds the key's line unless it is there; a line that a crash cut off goes. Returns whether the
// line was added behind others.
[[nodiscard]] Result<bool> publish(const std::string& file, const PublicKey& key);

}  // namespace sessionblocks::flowlog
