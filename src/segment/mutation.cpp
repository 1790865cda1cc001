#include "segment/mutation.hpp"

#include "lockfree/racy_copy.hpp"

#include <cmath>
#include <cstring>

namespace sessionblocks::segment {
namespace {

using layout::ValueType;

constexpr Errc kCommit{};

template <typename Number>
Number load_number(const OldEntry& old) {
  std::array<std::byte, 8> bytes{};
  copy_out(bytes.data(), old.value, 8);
  Number number{};
  std::memcpy(&number, bytes.data(), 8);
  return number;
}

template <typename Number>
void set_number(Plan& plan, Number number) {
  std::memcpy(plan.number.data(), &number, 8);
  plan.is_number = true;
}

Errc plan_increment(const Mutation& mutation, const OldEntry& old, Plan& plan) {
  if (old.is_live && (old.type != mutation.type || old.value_bytes != 8)) return Errc::wrong_type;
  plan.type = mutation.type;
  if (mutation.type == ValueType::integer) {
    const std::int64_t before = old.is_live ? load_number<std::int64_t>(old) : 0;
    std::int64_t sum = 0;
    if (__builtin_add_overflow(before, mutation.add_integer, &sum)) return Errc::overflow;
    set_number(plan, sum);
    return kCommit;
  }
  const double sum = (old.is_live ? load_number<double>(old) : 0.0) + mutation.add_real;
  if (!std::isfinite(sum)) return Errc::overflow;
  set_number(plan, sum);
  return kCommit;
}

Errc plan_append(const Mutation& mutation, const OldEntry& old, Plan& plan) {
  const bool appendable = mutation.type == ValueType::text || mutation.type == ValueType::bytes;
  if (!appendable || (old.is_live && old.type != mutation.type)) return Errc::wrong_type;
  plan.type = mutation.type;
  plan.kept_bytes = old.is_live ? old.value_bytes : 0;
  plan.value = mutation.value;
  return kCommit;
}

Errc plan_erase(const Mutation& mutation, const OldEntry& old, Plan& plan) {
  if (!old.is_live) return Errc::not_found;
  if (!mutation.takes_any_type && old.type != mutation.type) return Errc::wrong_type;
  if (mutation.taken != nullptr) {
    mutation.taken->resize(old.value_bytes);
    copy_out(mutation.taken->data(), old.value, old.value_bytes);
  }
  plan.type = ValueType::tombstone;
  return kCommit;
}

}  // namespace

Errc plan_mutation(const Mutation& mutation, const OldEntry& old, Plan& plan) {
  plan = {};
  switch (mutation.expiry) {
    case ExpiryRule::never:
      plan.expiry_ms = 0;
      break;
    case ExpiryRule::at:
      plan.expiry_ms = mutation.expires_at_ms;
      break;
    case ExpiryRule::keep:
      plan.expiry_ms = old.is_live ? old.expiry_ms : 0;
      break;
  }
  switch (mutation.op) {
    case Op::increment:
      return plan_increment(mutation, old, plan);
    case Op::append:
      return plan_append(mutation, old, plan);
    case Op::erase:
    case Op::get_and_erase:
      plan.expiry_ms = 0;
      return plan_erase(mutation, old, plan);
    case Op::touch:
      if (!old.is_live) return Errc::not_found;
      plan.type = old.type;
      plan.kept_bytes = old.value_bytes;
      return kCommit;
    case Op::add:
      if (old.is_live) return Errc::exists;
      break;
    case Op::replace:
      if (!old.is_live) return Errc::not_found;
      break;
    case Op::compare_and_set:
      if (!old.is_live) return Errc::not_found;
      if (old.version != mutation.expected_version) return Errc::conflict;
      break;
    default:
      break;
  }
  plan.type = mutation.type;
  plan.value = mutation.value;
  return kCommit;
}

}  // namespace sessionblocks::segment
