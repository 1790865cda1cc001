// The keys of snapshots: one for each block of which there is one, in one file that its owner alone
// can read.
//
// What it does: makes a key and has it on the disk before anything is encrypted with it; gives it
// to who reads; overwrites it when its block is wiped, so that no copy of a snapshot can be read
// any more. What it does not: decide who may ask, lock (one director writes), or keep anything in
// memory.
//
// The file is an array of records of 128 bytes, each with a checksum, appended to; a record never
// moves. One that a crash cut off is overwritten by the next one, and so is one whose key was
// released; of one whose block was wiped the id stays, so that its snapshots are known as wiped.
//
// Errors besides those named: io_error; denied: the file is another user's, or others may read it.
// A damaged record is none: what was encrypted with its key cannot be read.
#pragma once

#include <array>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "snapshot/description.hpp"

namespace sessionblocks::snapshot {

struct Key {
  using Bytes = std::array<unsigned char, 32>;
  KeyId id{};
  Bytes bytes{};

  Key() noexcept = default;
  Key(const Key&) noexcept = default;
  Key& operator=(const Key&) noexcept = default;
  ~Key();  // zeroes the bytes
};

// Which block, of all that ever were: ids start anew with a system's instance.
struct KeyOwner {
  SystemInstance instance{};
  BlockId block{};
};

class KeyFile {
 public:
  explicit KeyFile(std::string path) : path_(std::move(path)) {}

  // The block's key, made now if there is none. `for_elsewhere`: for a snapshot that nobody here
  // will know of; such a key is never released.
  [[nodiscard]] Result<Key> of(const KeyOwner& owner, bool for_elsewhere = false) const;
  // wiped: it was removed; denied: this file has none of that id, or there is no file.
  [[nodiscard]] Result<Key> find(const KeyId& id) const;
  // Overwritten, and on the disk, before this returns. None there, or no file: nothing.
  [[nodiscard]] Result<void> remove(const KeyOwner& owner) const;
  // As remove, of keys that no snapshot needs any more, except those that are needed elsewhere; how
  // many. Their records are used again.
  [[nodiscard]] Result<std::size_t> release(const std::vector<KeyId>& ids) const;

 private:
  std::string path_;
};

}  // namespace sessionblocks::snapshot
