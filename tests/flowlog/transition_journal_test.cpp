#include "flowlog/transition_journal.hpp"

#include <catch2/catch.hpp>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

Note doing(const std::string& what, const std::string& subject) {
  Note note;
  note.kind = NoteKind::transition;
  note.what = what;
  note.subject = subject;
  note.block = kBlock;
  note.unix_ms = 1'700'000'000'123;
  return note;
}

std::string told(const std::vector<Note>& notes) {
  std::string text;
  for (const Note& note : notes) {
    text += std::to_string(note.number) + " " + std::string(word(note.kind)) + " " + note.what +
            " " + note.subject + "\n";
  }
  return text;
}

struct Place {
  TemporaryFolder folder;
  std::string path = folder.path() + "/transitions";
};

TEST_CASE("what a director had done and the log lacks, the next one finds, once") {
  const Place place;
  {
    TransitionJournal journal;
    CHECK(journal.open(place.path, 5).empty());
    for (const char* what : {"created", "sealed", "unsealed"}) {
      const std::uint64_t begun = journal.begin(doing(what, "cart"));
      static_cast<void>(journal.tell(doing(what, "cart"), begun));
    }
    CHECK(journal.tell(doing("denied", "pid 7"), 0).number == 8);
  }
  // The log has those before 7.
  TransitionJournal next;
  const auto lacking = next.open(place.path, 7);
  CHECK(told(lacking) == "7 transition unsealed cart\n8 transition denied pid 7\n");
  CHECK(lacking.front().block == kBlock);
  CHECK(lacking.front().unix_ms == 1'700'000'000'123);
  CHECK(next.tell(doing("ended", "scope"), 0).number == 9);
}

TEST_CASE("what a director was about when it died is interrupted, and that is noted once") {
  const Place place;
  {
    TransitionJournal journal;
    static_cast<void>(journal.open(place.path, 1));
    static_cast<void>(journal.begin(doing("destroyed", "cart")));
    journal.withdraw(journal.begin(doing("sealed", "cart")));
    static_cast<void>(journal.begin(doing("unpinned", "cart")));
  }
  for (int times = 0; times < 3; ++times) {  // each of them dies before its log has it
    TransitionJournal next;
    CHECK(told(next.open(place.path, 1)) ==
          "1 interrupted destroyed cart\n2 interrupted unpinned cart\n");
  }
  TransitionJournal last;
  CHECK(last.open(place.path, 3).empty());
}

TEST_CASE("a torn row ends the file, and the rows behind it are readable again") {
  const Place place;
  {
    TransitionJournal journal;
    static_cast<void>(journal.open(place.path, 1));
    static_cast<void>(journal.tell(doing("created", "cart"), 0));
    static_cast<void>(journal.tell(doing("sealed", "cart"), 0));
  }
  const std::string whole = slurp(place.path);
  const auto first = static_cast<std::size_t>(static_cast<unsigned char>(whole[0])) + 8;
  for (std::size_t bytes = first; bytes < whole.size(); ++bytes) {
    spill(place.path, whole.substr(0, bytes));
    {
      TransitionJournal journal;
      CHECK(told(journal.open(place.path, 1)) == "1 transition created cart\n");
      static_cast<void>(journal.tell(doing("wiped", "cart"), 0));
    }
    TransitionJournal next;
    CHECK(told(next.open(place.path, 1)) == "1 transition created cart\n2 transition wiped cart\n");
  }
}

TEST_CASE("rows go when the log has all of them, and not while something is under way") {
  const Place place;
  TransitionJournal journal;
  static_cast<void>(journal.open(place.path, 1));
  const std::uint64_t begun = journal.begin(doing("created", "cart"));
  journal.forget(1, TransitionJournal::When::at_once);
  CHECK_FALSE(slurp(place.path).empty());
  static_cast<void>(journal.tell(doing("created", "cart"), begun));
  journal.forget(1, TransitionJournal::When::at_once);
  CHECK_FALSE(slurp(place.path).empty());
  journal.forget(2);  // small: it may grow
  CHECK_FALSE(slurp(place.path).empty());
  journal.forget(2, TransitionJournal::When::at_once);
  CHECK(slurp(place.path).empty());
  for (std::uint64_t number = 2; number < 5'000; ++number) {
    CHECK(journal.tell(doing("opened", "cart"), 0).number == number);
    journal.forget(number + 1);
  }
  CHECK(slurp(place.path).size() < 80'000);
}

TEST_CASE("without a file transitions have their numbers all the same") {
  TransitionJournal journal;
  CHECK(journal.open("/nowhere/at/all", 3).empty());
  CHECK(journal.tell(doing("created", "cart"), journal.begin(doing("created", "cart"))).number ==
        3);
}

}  // namespace
}  // namespace sessionblocks::flowlog
