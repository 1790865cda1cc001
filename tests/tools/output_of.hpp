// What a shell command prints to stdout.
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

inline std::string output_of(const std::string& command) {
  struct Close {
    void operator()(std::FILE* pipe) const { pclose(pipe); }
  };
  const std::unique_ptr<std::FILE, Close> pipe(popen(command.c_str(), "re"));
  if (!pipe) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4'096> buffer{};
  while (const std::size_t length = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    text.append(buffer.data(), length);
  }
  return text;
}
