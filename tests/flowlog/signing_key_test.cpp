#include "flowlog/signing_key.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

SigningKey key_in(const std::string& file) {
  auto key = SigningKey::open(file);
  REQUIRE(key);
  return *key;
}

TEST_CASE("a signing key is made once, kept from others, and signs what only it signs") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/log.key";
  const SigningKey key = key_in(file);
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600);
  CHECK(key_in(file).public_key() == key.public_key());
  const SigningKey other = key_in(folder.path() + "/other.key");
  CHECK(other.public_key() != key.public_key());
  const Signature signature = key.sign(bytes_of("what is said"));
  CHECK(holds(signature, bytes_of("what is said"), key.public_key()));
  CHECK_FALSE(holds(signature, bytes_of("what is sald"), key.public_key()));
  CHECK_FALSE(holds(signature, bytes_of("what is said"), other.public_key()));
}

TEST_CASE(
    "a signing key of which any byte is altered or missing is refused, and so is one that others "
    "may read") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/log.key";
  (void)key_in(file);
  const std::string whole = slurp(file);
  REQUIRE(whole.size() == 64);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string altered = whole;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    spill(file, altered);
    const auto key = SigningKey::open(file);
    CAPTURE(at);
    REQUIRE_FALSE(key);
    REQUIRE(key.error() == Errc::malformed);
    spill(file, whole.substr(0, at));
    REQUIRE_FALSE(SigningKey::open(file));
  }
  spill(file, whole + "x");
  CHECK_FALSE(SigningKey::open(file));
  spill(file, whole);
  REQUIRE(SigningKey::open(file));
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  CHECK(SigningKey::open(file).error() == Errc::denied);
}

TEST_CASE("what a crash left of a key is no key") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/log.key";
  spill(file + ".new", "half of it");
  (void)key_in(file);
  CHECK_FALSE(std::filesystem::exists(file + ".new"));
}

TEST_CASE("public keys are added behind those that are there, once") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/log.pub";
  CHECK(read_public_keys(file).error() == Errc::not_found);
  const PublicKey first = key_in(folder.path() + "/1").public_key();
  const PublicKey second = key_in(folder.path() + "/2").public_key();
  CHECK_FALSE(publish(file, first).value());
  CHECK_FALSE(publish(file, first).value());
  CHECK(publish(file, second).value());
  CHECK(publish(file, first).value() == false);
  CHECK(read_public_keys(file).value() == std::vector<PublicKey>{first, second});
  CHECK(slurp(file) == "ed25519 " + hex(first) + "\ned25519 " + hex(second) + "\n");
}

TEST_CASE("a line of public keys that a crash cut off at any byte is written anew") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/log.pub";
  const PublicKey first = key_in(folder.path() + "/1").public_key();
  const PublicKey second = key_in(folder.path() + "/2").public_key();
  REQUIRE(publish(file, first));
  const std::size_t before = slurp(file).size();
  REQUIRE(publish(file, second));
  const std::string whole = slurp(file);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    spill(file, whole.substr(0, size));
    CAPTURE(size);
    REQUIRE(publish(file, second));
    const auto keys = read_public_keys(file);
    REQUIRE(keys);
    REQUIRE(keys->size() == (size < before ? 1U : 2U));
    REQUIRE(keys->back() == second);
  }
}

TEST_CASE("what is no file of public keys is named") {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/copy.pub";
  const std::string key = hex(key_in(folder.path() + "/1").public_key());
  for (const std::string& text :
       {std::string(), std::string("\n"), key + "\n", "ed25519 " + key.substr(1) + "\n",
        "ed25519 " + key + "0\n", "ed25519 g" + key.substr(1) + "\n", "ed25519 " + key + "\n?\n",
        "ed25519  " + key.substr(1) + "\n"}) {
    spill(file, text);
    CAPTURE(text);
    CHECK(read_public_keys(file).error() == Errc::malformed);
  }
  spill(file, "ed25519 " + key);  // pasted without the end of its line
  CHECK(read_public_keys(file).value().size() == 1);
}

}  // namespace
}  // namespace sessionblocks::flowlog
