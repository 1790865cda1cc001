// Compiles and links as a stranger's program would; prints one line when all is well.
#include <sessionblocks/error.hpp>

#include <iostream>

int main() {
  const sessionblocks::Result<int> failed = sessionblocks::fail(sessionblocks::Errc::gone);
  if (failed || sessionblocks::errc_name(failed.error().code()) != "gone") return 1;
  std::cout << "consumer: ok\n";
  return 0;
}
