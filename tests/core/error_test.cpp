#include <sessionblocks/error.hpp>

#include <catch2/catch.hpp>

using namespace sessionblocks;

TEST_CASE("every error code has a name and says what to do") {
  for (unsigned number = 1; number <= static_cast<unsigned>(Errc::reference_revoked); ++number) {
    const auto code = static_cast<Errc>(number);
    CAPTURE(number);
    CHECK(errc_name(code) != "unknown");
    CHECK(Error(code).message().size() > errc_name(code).size() + 5);
  }
  CHECK(errc_name(static_cast<Errc>(60'000)) == "unknown");
}

TEST_CASE("a conflict names the current version and a short buffer the bytes it lacks") {
  CHECK(Error(Errc::conflict, std::uint64_t{41}).message().find("41") != std::string::npos);
  CHECK(Error(Errc::buffer_too_small, std::uint64_t{77}).message().find("77") != std::string::npos);
}
