#include "enforce_report.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

namespace sessionblocks::bench {
namespace {

double limit_ms(const EnforceRow& row) {
  return row.most_copies * median(row.copy_ms) + row.most_ms;
}

std::string target_of(const EnforceRow& row) {
  char text[64];
  if (row.most_copies == 0) {
    std::snprintf(text, sizeof text, "%g ms", row.most_ms);
  } else if (row.most_ms == 0) {
    std::snprintf(text, sizeof text, "%.2f copies", row.most_copies);
  } else {
    std::snprintf(text, sizeof text, "%g copies + %g ms", row.most_copies, row.most_ms);
  }
  return text;
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void print_head() {
  std::printf("%9s  %-24s %10s %10s %10s %8s  %-18s %10s %4s\n", "live MiB", "request", "copy ms",
              "took ms", "max ms", "copies", "target", "limit ms", "met");
}

void print_row(const EnforceRow& row) {
  const double took = median(row.ms);
  const double copy = median(row.copy_ms);
  std::printf("%9.0f  %-24s %10.3f %10.3f %10.3f %8.2f  %-18s %10.3f %4s\n",
              static_cast<double>(row.live_bytes) / (1U << 20U), row.what.c_str(), copy, took,
              *std::max_element(row.ms.begin(), row.ms.end()), copy == 0 ? 0 : took / copy,
              target_of(row).c_str(), limit_ms(row), took <= limit_ms(row) ? "yes" : "no");
  std::fflush(stdout);
}

bool write_json(const std::string& file, const std::vector<EnforceRow>& rows,
                std::uint64_t value_bytes) {
  nlohmann::json all = nlohmann::json::array();
  for (const EnforceRow& row : rows) {
    all.push_back({{"live_bytes", row.live_bytes},
                   {"request", row.what},
                   {"ms", row.ms},
                   {"copy_ms", row.copy_ms},
                   {"median_ms", median(row.ms)},
                   {"median_copy_ms", median(row.copy_ms)},
                   {"target", target_of(row)},
                   {"limit_ms", limit_ms(row)},
                   {"met", median(row.ms) <= limit_ms(row)}});
  }
  std::ofstream out(file);
  out << nlohmann::json{{"value_bytes", value_bytes}, {"rows", all}}.dump(2) << '\n';
  return static_cast<bool>(out.flush());
}

}  // namespace sessionblocks::bench
