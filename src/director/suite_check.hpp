// Judges whether a suite makes sense, by itself and on this machine.
//
// Checked: names; references to scripts and blocks; cycles of `from` and of `parent`; rights that
// widen on their way down; settings that contradict each other; quotas against the machine;
// commands, users and folders; conditions of guards. Files are only looked at (their kind and
// mode), nothing is opened, started or changed. Not checked: that anything stays as it was found.
//
// A key that the reader had a problem with is not reported a second time for being empty.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "director/suite.hpp"
#include "director/suite_diagnostic.hpp"

namespace sessionblocks::director {

// A folder that workers must not reach: a worker that reads the runtime folder has the operator
// key.
struct ProtectedFolder {
  std::filesystem::path path;
  std::string what;  // "runtime folder", for messages
};

// What a suite is held against. The defaults refuse nothing, except that programs must exist.
struct Machine {
  std::uint64_t shm_bytes = std::numeric_limits<std::uint64_t>::max();  // size of /dev/shm
  std::uint64_t min_quota_bytes = 1;                                    // what an empty block takes
  std::vector<ProtectedFolder> protected_folders;
  // Where bare program names are looked up. Fixed, not the caller's PATH: a suite starts the same
  // programs for everyone.
  std::vector<std::filesystem::path> program_folders = {"/usr/local/bin",  "/usr/bin",  "/bin",
                                                        "/usr/local/sbin", "/usr/sbin", "/sbin"};
  std::function<bool(const std::string&)> user_exists;  // empty: users are not checked
  // Whether the director's user may start a process as that one; empty: not checked.
  std::function<bool(const std::string&)> may_become;
  // What is wrong with the condition of a guard, or its action; none: nobody reads them.
  std::function<std::string(const GuardSpec&)> wrong_with_guard;
};

// All problems, in the order of the file; empty when the suite can run.
[[nodiscard]] std::vector<Diagnostic> check_suite(const Suite& suite, const Machine& machine);

// The program that command[0] stands for: a path as it is, a bare name from the program folders.
// Empty when there is no such executable file.
[[nodiscard]] std::filesystem::path find_program(const ScriptSpec& script, const Machine& machine);

// Whether one of two folders is the other or lies in it, by spelling and through symbolic links.
[[nodiscard]] bool folders_overlap(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace sessionblocks::director
