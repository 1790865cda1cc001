#include "traffic.hpp"

#include <array>
#include <numbers>

#include "director/permits.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::size_t kCatalogue = 4'000;
constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

constexpr double kOperationsPerS = 120;
constexpr double kOrdersPerS = 0.1;
constexpr double kSlipsPerS = 0.03;  // names that are not there, doors that are shut

// Sped up: the clock by which entries expire is not the guard's. What was left is never looked at
// again, so that the guard cannot tell when it expired; only eviction can.
Expiry soon() {
  return Expiry::after(std::chrono::milliseconds(1));
}
Expiry half_an_hour() {
  return Expiry::after(std::chrono::minutes(30));
}

std::string text(std::size_t bytes) {
  return std::string(bytes, 'x');
}

}  // namespace

HotKeys::HotKeys(Block block, std::size_t keys, std::size_t value_bytes)
    : block_(std::move(block)), value_(value_bytes, 'v') {
  for (std::size_t i = 0; i < keys; ++i) {
    keys_.push_back("visitor/" + std::to_string(i * 7'919));
    must(block_.put(keys_.back(), value_));
    must(block_.put(keys_.back() + "/count", 0));
  }
}

void HotKeys::use(Draw& draw, std::uint64_t operations) {
  std::array<std::byte, 4'096> buffer;
  for (std::uint64_t i = 0; i < operations; ++i) {
    const std::string& key = keys_[draw.below(keys_.size())];
    const double kind = draw.real(0, 1);
    if (kind < 0.6) {
      static_cast<void>(block_.get_into(key, buffer));
    } else if (kind < 0.85) {
      static_cast<void>(block_.put(key, value_));
    } else {
      static_cast<void>(block_.increment(key + "/count"));
    }
  }
}

Shop::Shop(System& system, Draw& draw)
    : system_(&system),
      draw_(&draw),
      checkout_{(make_blocks(), system.attach("checkout")), system.attach("checkout")},
      mail_(system.attach("mail")),
      reports_(system.attach("report")),
      bench_(system.attach("bench")),
      wave_s_(draw.real(1'200, 7'200)),
      checkpoint_s_(draw.real(30, 240)),
      fork_s_(draw.real(60, 600)) {
  for (Session& session : checkout_) {
    carts_.push_back(must(session.open("carts")));
    stores_.push_back(must(session.open("sessions")));
    stats_.push_back(must(session.open("stats")));
  }
  reading_.push_back(must(reports_.open("carts")));
  reading_.push_back(must(reports_.open("catalogue")));
  BlockOptions orders;
  orders.name = "orders";
  orders.quota_bytes = 4 * kMiB;
  orders.permit = {"share"};
  orders_.push_back(must(checkout_[0].create(orders)));
  BlockOptions hot;
  hot.name = "visitors";
  hot.quota_bytes = 4 * kMiB;
  hot_.emplace_back(must(bench_.create(hot)), 1'000, 64);
  fill_catalogue();
}

void Shop::make_blocks() {
  const auto fork = static_cast<std::uint32_t>(director::Permit::fork);
  system_->create({"carts",
                   8 * kMiB,
                   {{"checkout", Rights::read_write}, {"report", Rights::read_write}},
                   AtLimit::evict_expired,
                   fork});
  system_->create(
      {"sessions", 2 * kMiB, {{"checkout", Rights::read_write}}, AtLimit::evict_expired, 0});
  system_->create({"stats", kMiB, {{"checkout", Rights::read_write}}, AtLimit::refuse, 0});
  system_->create({"catalogue",
                   4 * kMiB,
                   {{"checkout", Rights::read}, {"report", Rights::read_write}},
                   AtLimit::refuse,
                   0});
  system_->create({"vault", kMiB, {{"owner", Rights::read_write}}, AtLimit::refuse, 0});
}

void Shop::fill_catalogue() {
  for (std::size_t i = 0; i < kCatalogue; ++i) {
    must(reading_[1].put("article:" + std::to_string(i), text(draw_->between(100, 500))));
  }
}

template <typename T>
bool Shop::check(const Result<T>& result, Errc also) {
  ++operations_;
  if (result) return true;
  if (result.error() == also) return false;
  if (failed_++ == 0) first_failure_ = result.error().message();
  return false;
}

// By how much there is more to do than usual.
double Shop::busy(double seconds) {
  passed_s_ += seconds;
  if (passed_s_ > burst_until_s_) burst_ = 1;
  if (burst_ == 1 && draw_->chance(seconds / 400)) {
    burst_ = draw_->real(2, 5);
    burst_until_s_ = passed_s_ + draw_->real(5, 40);
  }
  return burst_ * (1 + 0.5 * std::sin(2 * std::numbers::pi * passed_s_ / wave_s_));
}

void Shop::step(double seconds) {
  const double much = busy(seconds) * seconds;
  for (auto left = draw_->events(kOperationsPerS * much); left > 0; --left) {
    const double kind = draw_->real(0, 1);
    if (kind < 0.5) {
      use_cart();
    } else if (kind < 0.6) {
      use_session();
    } else if (kind < 0.8) {
      look_something_up();
    } else {
      hot_[0].use(*draw_, 1);
    }
  }
  for (auto left = draw_->events(kOrdersPerS * much); left > 0; --left) work_on_order();
  report();
  err_as_people_do(seconds);
}

void Shop::use_cart() {
  Block& carts = carts_[draw_->below(carts_.size())];
  const double kind = draw_->real(0, 1);
  if (open_.empty() || (kind < 0.06 && open_.size() < 300)) {
    open_.push_back({next_++, 0});
    check(carts.add("cart:" + std::to_string(open_.back().id), text(draw_->between(50, 200)),
                    half_an_hour()));
    return;
  }
  const std::size_t at = draw_->below(open_.size());
  const std::string key = "cart:" + std::to_string(open_[at].id);
  if (kind < 0.65) {
    check(carts.get<std::string>(key));
  } else if (kind < 0.94) {
    check(carts.put(key, text(draw_->between(50, 200) + 40 * std::size_t{++open_[at].changes}),
                    half_an_hour()));
    if (open_[at].changes > 20) end_cart(at);
  } else {
    end_cart(at);
  }
}

// Bought, or left where it is.
void Shop::end_cart(std::size_t at) {
  Block& carts = carts_[draw_->below(carts_.size())];
  const std::string key = "cart:" + std::to_string(open_[at].id);
  if (draw_->chance(0.8)) {
    check(carts.get_and_erase<std::string>(key));
    check(stats_[0].increment("bought"));
  } else {
    check(carts.put(key, text(100), soon()));
    check(stats_[1].increment("left"));
  }
  open_[at] = open_.back();
  open_.pop_back();
}

// Visitors come, look at some pages, and are not seen again.
void Shop::use_session() {
  Block& store = stores_[draw_->below(stores_.size())];
  if (visitors_.empty() || draw_->chance(0.15)) visitors_.push_back(next_++);
  const bool is_last = visitors_.size() > 100;
  const std::uint64_t visitor =
      is_last ? visitors_.front() : visitors_[draw_->below(visitors_.size())];
  if (is_last) visitors_.pop_front();
  check(store.put("session:" + std::to_string(visitor), text(draw_->between(100, 600)),
                  is_last ? soon() : half_an_hour()));
}

void Shop::look_something_up() {
  // A tenth of the articles is what most visitors look at.
  const std::size_t among = draw_->chance(0.9) ? kCatalogue / 10 : kCatalogue;
  check(reading_[1].get<std::string>("article:" + std::to_string(draw_->below(among))));
  check(stats_[0].increment("pages/" + std::to_string(draw_->below(50))));
}

void Shop::work_on_order() {
  const std::string order = "order:" + std::to_string(next_++);
  Session& session = checkout_[0];
  check(orders_[0].put(order, text(draw_->between(200, 800))));
  auto charge = session.enter_scope("charge");
  if (!check(charge)) return;
  BlockOptions options;
  options.name = "retries";
  options.quota_bytes = kMiB;
  if (auto retries = charge->create(options); check(retries)) {
    check(retries->increment("attempts"));
    check(retries->put("state", "sent"));
  }
  ShareOptions to_mail;
  to_mail.audience = "embedded/mail";
  to_mail.single_use = true;
  const auto reference = session.share(orders_[0], to_mail);
  if (!check(reference)) return;
  // Now and then nobody comes for it.
  if (!draw_->chance(0.02)) {
    const auto shared = mail_.redeem(*reference);
    if (check(shared)) check(shared->get<std::string>(order));
  }
  check(charge->leave());
  shipped_.push_back(next_ - 1);
  if (shipped_.size() > 20) {
    check(orders_[0].erase("order:" + std::to_string(shipped_.front())));
    shipped_.pop_front();
  }
}

void Shop::report() {
  Block& carts = reading_[0];
  if (passed_s_ > checkpoint_s_) {
    if (checkpoint_.empty()) {
      checkpoint_ = "report-" + std::to_string(next_++);
      check(carts.take_checkpoint(checkpoint_));
      checkpoint_s_ = passed_s_ + draw_->real(5, 60);
    } else {
      check(carts.release_checkpoint(checkpoint_));
      checkpoint_.clear();
      checkpoint_s_ = passed_s_ + draw_->real(30, 240);
    }
  }
  if (passed_s_ <= fork_s_) return;
  if (fork_.empty()) {
    fork_ = "planned-" + std::to_string(next_++);
    check(reports_.fork(carts, fork_));
    fork_s_ = passed_s_ + draw_->real(10, 60);
  } else {
    check(reports_.destroy(fork_));
    fork_.clear();
    fork_s_ = passed_s_ + draw_->real(120, 600);
  }
}

void Shop::err_as_people_do(double seconds) {
  static constexpr std::array<const char*, 4> kNames = {"basket", "orders-old", "vault", "cart"};
  for (auto left = draw_->events(kSlipsPerS * seconds); left > 0; --left) {
    Session& session = draw_->chance(0.5) ? checkout_[1] : reports_;
    static_cast<void>(session.open(kNames[draw_->below(kNames.size())]));
  }
}

}  // namespace sessionblocks::guard_trial
