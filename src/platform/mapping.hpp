// Memory of a segment in this process's address space.
//
// What it does: maps the first bytes of a descriptor that somebody passed, read-only or read-write,
// and unmaps them when it ends. The descriptor may be closed at once; the memory stays.
// What it does not: it never looks at the bytes, never changes the file's size, and takes no lock.
// Any thread may call any function; only the move and the end need the caller's own order.
//
// Invariants
// 1. data() is valid for bytes() bytes until the end, and the file had at least that size when it
//    was mapped. Only descriptors from OpenerThread keep others from shrinking it later.
// 2. The memory is not in core dumps, and a forked child has no mapping there (a touch is SIGSEGV).
//    The exception is anonymous(), which a child shares.
// 3. Storing into a page that was not populated may be SIGBUS when /dev/shm is full, and so may
//    loading from one: populate first.
// A crash leaves nothing: the kernel unmaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <sessionblocks/error.hpp>
#include <span>

namespace boost::interprocess {
class mapped_region;
}

namespace sessionblocks::platform {

enum class Access : std::uint8_t { read_only = 0, read_write = 1 };

class Mapping {
 public:
  Mapping() noexcept;
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();

  // Maps [0, bytes) of `fd`. corrupt: the file is shorter than that; denied: the descriptor does
  // not permit the access; invalid_argument: bytes is 0; out_of_memory: no address space.
  [[nodiscard]] static Result<Mapping> from_fd(int fd, std::uint64_t bytes, Access access);

  // Zeroed memory without a name, shared with forked children: for tests and scratch.
  [[nodiscard]] static Result<Mapping> anonymous(std::uint64_t bytes);

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] Access access() const noexcept { return access_; }
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }

  // Makes every page that holds a byte of [offset, offset + bytes) present and writable, without
  // changing a byte. out_of_memory: /dev/shm or memory is full (some of the pages may be present
  // by then, none is lost); invalid_argument: outside the mapping; unsupported: before Linux 5.14.
  [[nodiscard]] Result<void> populate_write(std::uint64_t offset, std::uint64_t bytes) const;
  // The same for reading. A hole in the file becomes a page.
  [[nodiscard]] Result<void> populate_read(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  Mapping(std::unique_ptr<boost::interprocess::mapped_region> region, Access access) noexcept;
  [[nodiscard]] Result<void> populate(std::uint64_t offset, std::uint64_t bytes, int advice) const;

  std::unique_ptr<boost::interprocess::mapped_region> region_;
  std::byte* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  Access access_ = Access::read_only;
};

}  // namespace sessionblocks::platform
