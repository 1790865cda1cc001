// demo-generate: writes a web access log that looks like a busy site's, the same for the same seed.
//
// A few visitors and a few pages get most of the traffic (Zipf); people come in sessions with
// pauses to read between pages; crawlers come at an even pace and never sleep. Some lines are what
// real logs contain as well: cut in the middle, not HTTP at all, or slightly out of order in time.
// Numbers are drawn here and not with <random>'s distributions, which differ between libraries.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Options {
  std::uint64_t lines = 500'000;
  std::uint64_t seed = 1;
  std::string output = "-";
};

constexpr std::int64_t kFirstSecond = 1'747'008'000;  // 12 May 2025, 00:00 UTC
constexpr std::int64_t kDays = 5;
constexpr std::uint64_t kPeople = 60'000;
constexpr std::uint64_t kCrawlers = 40;
constexpr std::uint64_t kPages = 4'000;

std::uint64_t mix(std::uint64_t value) {  // splitmix64's finaliser
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9U;
  value = (value ^ value >> 27) * 0x94d049bb133111ebU;
  return value ^ value >> 31;
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool one_in(std::uint64_t count) { return below(count) == 0; }
  // Exponential, so that short pauses are common and long ones happen.
  std::int64_t pause_s(double mean_s) {
    return static_cast<std::int64_t>(-mean_s * std::log(1.0 - unit()));
  }

 private:
  std::uint64_t state_;
};

// Ranks 0..count-1, rank r with a weight of 1 / (r + 1)^exponent.
class Zipf {
 public:
  Zipf(std::uint64_t count, double exponent) {
    double sum = 0;
    for (std::uint64_t rank = 0; rank < count; ++rank) {
      sum += std::pow(static_cast<double>(rank + 1), -exponent);
      sums_.push_back(sum);
    }
  }
  std::uint32_t draw(Random& random) const {
    const double point = random.unit() * sums_.back();
    const auto place = std::upper_bound(sums_.begin(), sums_.end(), point);
    return static_cast<std::uint32_t>(
        std::min<std::ptrdiff_t>(place - sums_.begin(), std::ssize(sums_) - 1));
  }

 private:
  std::vector<double> sums_;
};

struct Event {
  std::int64_t time_s;
  std::uint32_t visitor;  // crawlers first, then people
  std::uint32_t page;
  std::uint32_t previous;  // page + 1 that the visitor came from; 0 for none
};

// People come by day: the draw is repeated at night, more often the deeper the night.
std::int64_t start_of_session(Random& random) {
  for (;;) {
    const auto second = static_cast<std::int64_t>(random.below(kDays * 86'400));
    const double hour = static_cast<double>(second % 86'400) / 3'600.0;
    const double activity = 0.55 - 0.45 * std::cos((hour - 3.0) * 3.14159265358979 / 12.0);
    if (random.unit() < activity) return kFirstSecond + second;
  }
}

void add_session(Random& random, const Zipf& people, const Zipf& pages, std::vector<Event>& out) {
  Event event{start_of_session(random), 0, pages.draw(random), 0};
  event.visitor = static_cast<std::uint32_t>(kCrawlers) + people.draw(random);
  do {
    out.push_back(event);
    event.previous = event.page + 1;
    event.page = pages.draw(random);
    event.time_s += random.pause_s(random.one_in(30) ? 1'500.0 : 45.0);
  } while (!random.one_in(7));
}

// A crawler reads every page once, then starts again, one request each few seconds.
void add_crawl(Random& random, std::uint32_t crawler, std::vector<Event>& out) {
  const auto start = static_cast<std::int64_t>(random.below(kDays * 86'400));
  const auto first_page = static_cast<std::uint32_t>(random.below(kPages));
  const std::int64_t step_s = 1 + crawler % 7;
  for (std::uint32_t index = 0; index < 250; ++index) {
    const auto page = static_cast<std::uint32_t>((first_page + index) % kPages);
    out.push_back({kFirstSecond + start + index * step_s, crawler, page, 0});
  }
}

std::vector<Event> make_events(const Options& options, Random& random) {
  const Zipf people(kPeople, 0.8);
  const Zipf pages(kPages, 1.05);
  const Zipf crawlers(kCrawlers, 1.0);
  std::vector<Event> events;
  events.reserve(options.lines + 1'000);
  while (events.size() < options.lines) {
    // One crawl of 250 requests to 300 sessions of about 7: one request in ten is a crawler's.
    if (random.one_in(300)) {
      add_crawl(random, crawlers.draw(random), events);
    } else {
      add_session(random, people, pages, events);
    }
  }
  events.resize(options.lines);
  std::stable_sort(events.begin(), events.end(),
                   [](const Event& a, const Event& b) { return a.time_s < b.time_s; });
  // A server writes a line when the reply ends: a slow one comes after faster ones that began
  // later.
  for (std::size_t index = 12; index < events.size(); ++index) {
    if (random.one_in(50)) std::swap(events[index], events[index - 1 - random.below(12)]);
  }
  return events;
}

constexpr std::array<std::string_view, 8> kSections = {
    "/", "/blog/", "/articles/", "/shop/item/", "/images/", "/static/js/", "/docs/", "/search/"};
constexpr std::array<std::string_view, 6> kAgents = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/124.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148",
    "Reader \\\"Pocket\\\"/7.2",
    "-"};

class Writer {
 public:
  Writer(const Options& options, std::FILE* file) : random_(~options.seed), file_(file) {}

  void write(const Event& event) {
    line_.clear();
    add_client(event.visitor);
    line_ += " - ";
    line_ += event.visitor % 97 == 60 ? "alice" : "-";
    add_time(event.time_s);
    add_request(event);
    add_reply();
    add_referer(event.previous);
    add_agent(event.visitor);
    if (random_.one_in(700)) spoil();
    line_ += '\n';
    std::fwrite(line_.data(), 1, line_.size(), file_);
  }

 private:
  template <typename Number>
  void add_number(Number number, int base = 10, std::size_t width = 0) {
    std::array<char, 24> digits{};
    const auto result = std::to_chars(digits.begin(), digits.end(), number, base);
    const auto length = static_cast<std::size_t>(result.ptr - digits.data());
    if (length < width) line_.append(width - length, '0');
    line_.append(digits.data(), length);
  }

  void add_client(std::uint32_t visitor) {
    const std::uint64_t bits = mix(visitor + 1'000U);
    if (bits % 11 == 0) {
      line_ += "2001:db8:";
      add_number(bits >> 16 & 0xffff, 16);
      line_ += ':';
      add_number(visitor / 65'536, 16);
      line_ += "::";
      add_number(visitor % 65'536, 16);
      return;
    }
    // The visitor's number is in three of the bytes, so two visitors never share an address.
    add_number(1 + bits % 223);
    for (int shift = 16; shift >= 0; shift -= 8) {
      line_ += '.';
      add_number(visitor >> shift & 0xff);
    }
  }

  void add_time(std::int64_t time_s) {
    const std::int64_t second = time_s - kFirstSecond;
    line_ += " [";
    add_number(12 + second / 86'400);
    line_ += "/May/2025:";
    add_number(second / 3'600 % 24, 10, 2);
    line_ += ':';
    add_number(second / 60 % 60, 10, 2);
    line_ += ':';
    add_number(second % 60, 10, 2);
    line_ += " +0000] \"";
  }

  void add_page(std::uint32_t page) {
    if (page == 0) {
      line_ += '/';
      return;
    }
    line_ += kSections[page % kSections.size()];
    line_ += "p-";
    add_number(mix(page) % 0xffffff, 36);
    if (page % 5 == 0) line_ += ".html";
  }

  void add_request(const Event& event) {
    const std::uint64_t kind = random_.below(100);
    line_ += kind < 93 ? "GET " : kind < 96 ? "HEAD " : kind < 99 ? "POST " : "OPTIONS ";
    add_page(event.page);
    if (random_.one_in(6)) {
      line_ += "?q=";
      add_number(random_.below(1'000'000));
      if (random_.one_in(3)) line_ += "&page=2?";
    }
    line_ += random_.one_in(12)  ? " HTTP/1.0\" "
             : random_.one_in(3) ? " HTTP/2.0\" "
                                 : " HTTP/1.1\" ";
  }

  void add_reply() {
    const std::uint64_t draw = random_.below(1'000);
    if (draw < 100) {
      line_ += draw < 80 ? "304 -" : "204 0";
      return;
    }
    line_ += draw < 130   ? "404 "
             : draw < 160 ? "301 "
             : draw < 168 ? "500 "
             : draw < 172 ? "503 "
             : draw < 190 ? "206 "
                          : "200 ";
    // Most replies are small, a few are very large.
    const double size = 300.0 * std::exp(random_.unit() * random_.unit() * 9.0);
    add_number(static_cast<std::uint64_t>(size));
  }

  void add_referer(std::uint32_t previous) {
    line_ += " \"";
    if (previous > 0) {
      line_ += "https://www.example.org";
      add_page(previous - 1);
    } else {
      line_ += random_.one_in(3) ? "https://search.example/?q=session+blocks" : "-";
    }
    line_ += '"';
  }

  void add_agent(std::uint32_t visitor) {
    line_ += " \"";
    if (visitor < kCrawlers) {
      line_ += "Mozilla/5.0 (compatible; ExampleBot/2.";
      add_number(visitor);
      line_ += "; +https://bot.example/)";
    } else {
      line_ += kAgents[mix(visitor) % kAgents.size()];
    }
    line_ += '"';
  }

  // What a log really holds: a line cut by a full disk, bytes of another protocol, a blank line.
  void spoil() {
    const std::uint64_t kind = random_.below(10);
    if (kind < 6) {
      line_.resize(random_.below(line_.size()));
    } else if (kind < 9) {
      const std::size_t request = line_.find('"');
      line_.resize(request);
      line_ +=
          kind == 6 ? "\"-\" 408 - \"-\" \"-\"" : "\"\\x16\\x03\\x01\\x02\" 400 226 \"-\" \"-\"";
    } else {
      line_.clear();
    }
  }

  Random random_;
  std::FILE* file_;
  std::string line_;
};

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

int generate(const Options& options) {
  File file(options.output == "-" ? stdout : std::fopen(options.output.c_str(), "wbe"),
            &std::fclose);
  if (!file) {
    std::cerr << "demo-generate: cannot write " << options.output << '\n';
    return 1;
  }
  std::setvbuf(file.get(), nullptr, _IOFBF, 1 << 18);
  Random random(options.seed);
  Writer writer(options, file.get());
  for (const Event& event : make_events(options, random)) writer.write(event);
  const bool failed = std::ferror(file.get()) != 0;
  if (std::fclose(file.release()) != 0 || failed) {
    std::cerr << "demo-generate: writing " << options.output << " failed; is the disk full?\n";
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Writes a web access log that looks like a busy site's, the same for the same seed.");
  Options options;
  app.add_option("--lines", options.lines, "lines to write")->capture_default_str();
  app.add_option("--seed", options.seed, "another seed, another log")->capture_default_str();
  app.add_option("--output", options.output, "file to write, - for stdout")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return generate(options);
}
