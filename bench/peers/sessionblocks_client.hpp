// A worker's side of this store, shared by its variants.
#pragma once

#include <sessionblocks/sessionblocks.hpp>

#include <sstream>
#include <vector>

#include "failure.hpp"
#include "peer.hpp"

namespace sessionblocks::bench {

template <typename T>
[[nodiscard]] T value_or_give_up(Result<T> result, const char* tried) {
  if (!result) give_up(std::string(tried) + ": " + result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline constexpr const char* kBlockName = "bench";
[[nodiscard]] inline std::string block_name(unsigned number) {
  return kBlockName + std::string("-") + std::to_string(number);
}

// Socket, scope, token and the number of blocks, a line each.
[[nodiscard]] inline std::string address_of(const std::string& socket, const std::string& scope,
                                            const std::string& token, unsigned blocks) {
  return socket + "\n" + scope + "\n" + token + "\n" + std::to_string(blocks) + "\n";
}

// kMany: a key's last byte chooses one of several blocks.
template <bool kMany>
class SessionBlocksClient final : public OneByOne<SessionBlocksClient<kMany>> {
 public:
  SessionBlocksClient(Session session, bool hashes_ahead, unsigned blocks)
      : session_(std::move(session)), hashes_ahead_(hashes_ahead) {
    for (unsigned number = 0; number < blocks; ++number) {
      blocks_.push_back(value_or_give_up(session_.open(block_name(number)), "open a block"));
    }
  }

  void prepare(std::span<Operation> operations) override {
    if (!hashes_ahead_) return;
    for (Operation& operation : operations) {
      operation.key_hash = session_.hashed(operation.key).hash();
    }
  }

  Outcome get(Operation& operation) {
    const auto copied = block_of(operation).get_into(key_of(operation), operation.bytes);
    if (!copied) return copied.error() == Errc::not_found ? Outcome::absent : Outcome::failed;
    operation.copied_bytes = *copied;
    return Outcome::done;
  }
  Outcome put(Operation& operation) {
    const Expiry expiry = operation.ttl_ms == 0
                              ? Expiry::never()
                              : Expiry::after(std::chrono::milliseconds(operation.ttl_ms));
    const std::span<const std::byte> bytes = operation.bytes;
    return block_of(operation).put(key_of(operation), bytes, expiry) ? Outcome::done
                                                                     : Outcome::failed;
  }
  Outcome increment(Operation& operation) {
    const auto sum = block_of(operation).increment(key_of(operation));
    if (!sum) return Outcome::failed;
    operation.sum = *sum;
    return Outcome::done;
  }
  Outcome reset(Operation& operation) {
    return block_of(operation).put(key_of(operation), 0) ? Outcome::done : Outcome::failed;
  }
  Outcome erase(Operation& operation) {
    const auto erased = block_of(operation).erase(key_of(operation));
    if (erased) return Outcome::done;
    return erased.error() == Errc::not_found ? Outcome::absent : Outcome::failed;
  }

 private:
  [[nodiscard]] Block& block_of(const Operation& operation) {
    if constexpr (!kMany) return blocks_.front();
    // Two of its hexadecimal digits, as good as random.
    const auto end = operation.key.end();
    return blocks_[(static_cast<unsigned char>(end[-1]) * 31U +
                    static_cast<unsigned char>(end[-2]) * 517U +
                    static_cast<unsigned char>(end[-3]) * 8'191U) %
                   blocks_.size()];
  }
  [[nodiscard]] Key key_of(const Operation& operation) const {
    const Key key(operation.key);
    return hashes_ahead_ ? key.with_hash(operation.key_hash) : key;
  }

  Session session_;
  std::vector<Block> blocks_;
  bool hashes_ahead_;
};

[[nodiscard]] inline std::unique_ptr<Client> connect_sessionblocks(const std::string& address,
                                                                   bool hashes_ahead) {
  std::istringstream lines(address);
  AttachOptions options;
  unsigned blocks = 0;
  std::getline(lines, options.socket);
  std::getline(lines, options.scope);
  std::getline(lines, options.token);
  lines >> blocks;
  Session session = value_or_give_up(Session::attach(std::move(options)), "attach");
  if (blocks > 1) {
    return std::make_unique<SessionBlocksClient<true>>(std::move(session), hashes_ahead, blocks);
  }
  return std::make_unique<SessionBlocksClient<false>>(std::move(session), hashes_ahead, 1);
}

}  // namespace sessionblocks::bench
