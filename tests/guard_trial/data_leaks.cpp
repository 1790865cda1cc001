// Data leaks: what is sensitive in one block, put where more may read.
#include <sodium.h>

#include "attack.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

std::string letters(Draw& draw, std::size_t count) {
  static constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text(count, '\0');
  for (char& letter : text) letter = kLetters[draw.below(kLetters.size())];
  return text;
}

std::string hex_of(const std::string& bytes) {
  std::string text(bytes.size() * 2 + 1, '\0');
  ::sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                   bytes.size());
  text.pop_back();
  return text;
}

std::string base64_of(const std::string& bytes, int variant) {
  std::string text(::sodium_base64_encoded_len(bytes.size(), variant), '\0');
  ::sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), variant);
  text.pop_back();
  return text;
}

// Somebody with tokens that are changed now and then, and a board that another script reads too.
class Leaker : public Intruder {
 public:
  explicit Leaker(Scene& scene) : Intruder(scene) {
    BlockOptions options;
    options.name = "tokens";
    options.quota_bytes = kMiB;
    options.sensitive = {"token:*"};
    tokens_.push_back(must(session().create(options)));
    system().create({"board", kMiB, {{"intruder", Rights::read_write}, {"mail", Rights::read}}});
    board_.push_back(must(session().open("board", AccessMode::read_write)));
    add_culprit(system().text_of(board_[0]));
    for (int i = 0; i < kTokens; ++i) renew(i);
  }
  void behave(double seconds) override {
    Intruder::behave(seconds);
    for (auto left = draw().events(seconds); left > 0; --left) {
      renew(static_cast<int>(draw().below(kTokens)));
    }
    for (auto left = draw().events(5 * seconds); left > 0; --left) {
      must(board_[0].put("note" + std::to_string(draw().below(50)),
                         letters(draw(), draw().between(10, 400))));
    }
  }
  // Once: what is there to be found is in one entry.
  void strike(double /*seconds*/) override {
    if (std::exchange(has_struck_, true)) return;
    leak(board_[0], token());
  }

 protected:
  virtual void leak(Block& board, const std::string& token) = 0;

 private:
  static constexpr int kTokens = 20;
  void renew(int number) {
    must(
        tokens_[0].put("token:" + std::to_string(number), letters(draw(), draw().between(20, 60))));
  }
  std::string token() {
    const std::string key = "token:" + std::to_string(draw().below(kTokens));
    return must(tokens_[0].get<std::string>(key)).value;
  }

  std::vector<Block> tokens_;
  std::vector<Block> board_;
  bool has_struck_ = false;
};

class Whole final : public Leaker {
 public:
  using Leaker::Leaker;
  void leak(Block& board, const std::string& token) override { must(board.put("copy", token)); }
};

class Piece final : public Leaker {
 public:
  using Leaker::Leaker;
  void leak(Block& board, const std::string& token) override {
    const std::size_t bytes = draw().between(16, token.size() - 1);
    const std::size_t at = draw().below(token.size() - bytes + 1);
    tell(std::to_string(bytes) + " bytes of " + std::to_string(token.size()));
    must(board.put("text", letters(draw(), draw().below(200)) + token.substr(at, bytes) +
                               letters(draw(), draw().below(200))));
  }
};

class Encoded final : public Leaker {
 public:
  using Leaker::Leaker;
  void leak(Block& board, const std::string& token) override {
    // What stands before it shifts base64 by none, two or four bits.
    const std::string shifted = letters(draw(), draw().below(3)) + token;
    const auto way = draw().below(3);
    tell(way == 0 ? "hex" : "base64");
    const std::string text =
        way == 0 ? hex_of(token)
                 : base64_of(shifted, way == 1 ? sodium_base64_VARIANT_ORIGINAL
                                               : sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    must(board.put("blob", "{\"data\":\"" + text + "\"}"));
  }
};

class AsKey final : public Leaker {
 public:
  using Leaker::Leaker;
  void leak(Block& board, const std::string& token) override {
    must(board.put("seen:" + token, 1));
  }
};

template <typename T>
AttackInfo info(std::string name, std::string what) {
  return {Kind::data_leak, std::move(name), std::move(what), {"exposed"}, 20, 250, 60, make<T>};
}

}  // namespace

void add_data_leaks(Attacks& attacks) {
  attacks.push_back(info<Whole>("copied-token", "a token copied to where another script reads"));
  attacks.push_back(info<Piece>("piece-of-token", "16 bytes of one or more, inside a text"));
  attacks.push_back(info<Encoded>("encoded-token", "one in hex or base64, inside a text"));
  attacks.push_back(info<AsKey>("token-as-key", "one in the name of a key"));
}

}  // namespace sessionblocks::guard_trial
