// A process forked from the harness, with a channel to it. The harness has one thread, so a child
// may do anything. What a child throws arrives as the text of its failure.
//
// A child dies with the harness. SIGINT or SIGTERM to the harness throws Interrupted from whatever
// waits here, so that destructors end what was started.
#pragma once

#include <sys/types.h>

#include <functional>
#include <stdexcept>
#include <string>

namespace sessionblocks::bench {

struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};
// From now on SIGINT and SIGTERM are remembered.
void catch_interrupts();
void throw_if_interrupted();

class Channel {
 public:
  Channel() = default;
  explicit Channel(int descriptor) noexcept : descriptor_(descriptor) {}
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel();

  // Throws Interrupted; std::runtime_error when the other end is gone.
  void send(const std::string& text);
  // The next text that was sent; empty when the other end is gone.
  [[nodiscard]] std::string receive();
  // Has the other end sent something, or gone, within this time? Throws Interrupted.
  [[nodiscard]] bool is_ready_within(int limit_ms) const;
  void close() noexcept;

 private:
  int descriptor_ = -1;
};

class Child {
 public:
  enum class End : std::uint8_t {
    killed,      // with its owner and at once
    by_channel,  // when the channel closes: it cleans up, and ignores SIGINT until it has
  };
  // Runs `body` in a new process. An exception of it is sent as "!text".
  Child(End end, const std::function<void(Channel&)>& body);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  // The next text of the child. Throws its failure, also when it ended without a word.
  [[nodiscard]] std::string expect();
  void send(const std::string& text) { channel_.send(text); }
  [[nodiscard]] bool is_ready_within(int limit_ms) const {
    return channel_.is_ready_within(limit_ms);
  }
  // Closes the channel and waits for its end. Throws when it did not end well.
  void finish();
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }

 private:
  void end() noexcept;

  End end_;
  pid_t pid_ = -1;
  Channel channel_;
};

}  // namespace sessionblocks::bench
