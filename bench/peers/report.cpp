#include "report.hpp"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <ostream>

namespace sessionblocks::bench {
namespace {

std::string formatted(const char* format, auto... values) {
  std::array<char, 512> text{};
  std::snprintf(text.data(), text.size(), format, values...);
  return text.data();
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S+00:00", &parts);
  return text.data();
}

double mhz() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("cpu MHz", 0) == 0) return std::atof(line.substr(line.find(':') + 1).c_str());
  }
  return 0;
}

std::size_t sharing(const std::string& list) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t end = std::min(list.find(',', at), list.size());
    const std::string part = list.substr(at, end - at);
    const auto dash = part.find('-');
    count +=
        dash == std::string::npos
            ? 1
            : static_cast<std::size_t>(std::atoi(&part[dash + 1]) - std::atoi(part.c_str()) + 1);
    at = end + 1;
  }
  return count;
}

nlohmann::json caches() {
  auto found = nlohmann::json::array();
  const std::filesystem::path folder = "/sys/devices/system/cpu/cpu0/cache";
  for (int index = 0;; ++index) {
    const auto cache = folder / ("index" + std::to_string(index));
    if (!std::filesystem::exists(cache / "size")) return found;
    found.push_back({{"type", first_line(cache / "type")},
                     {"level", std::atoi(first_line(cache / "level").c_str())},
                     {"size", std::atoll(first_line(cache / "size").c_str()) * 1'024},
                     {"num_sharing", sharing(first_line(cache / "shared_cpu_list"))}});
  }
}

}  // namespace

void print_heading(std::ostream& out) {
  out << formatted("%-50s %-22s %12s %10s %9s %9s %9s %10s %11s", "workload", "peer", "ops/s",
                   "ns/op", "p50", "p90", "p99", "p99.9", "max ns")
      << std::endl;
}

void print_row(std::ostream& out, const Row& row) {
  const std::string where = row.workload + "/processes:" + std::to_string(row.processes);
  out << formatted("%-50s %-22s ", where.c_str(), row.peer.c_str());
  if (!row.error.empty()) {
    out << "FAILED: " << row.error << std::endl;
    return;
  }
  if (row.bytes_per_entry) {
    out << formatted("%12.1f bytes an entry", *row.bytes_per_entry) << std::endl;
    return;
  }
  const auto at = [&row](double share) {
    return static_cast<unsigned long long>(row.latency_ns.percentile(share));
  };
  out << formatted("%12.0f %10.1f %9llu %9llu %9llu %10llu %11llu", row.ops_per_s, row.real_ns,
                   at(0.5), at(0.9), at(0.99), at(0.999), at(1));
  if (row.deaths > 0) {
    out << formatted("  beside %llu deaths", static_cast<unsigned long long>(row.deaths));
  }
  if (row.hit_ratio) {
    out << formatted("  hits %.4f, oracle %.4f to %.4f", *row.hit_ratio, *row.expected_hit_ratio,
                     *row.expected_hit_ratio + *row.undecided_ratio);
  }
  out << std::endl;
}

nlohmann::json json_of(const Row& row, unsigned repetitions) {
  nlohmann::json json = {
      {"name", row.name()},
      {"run_name", row.name()},
      {"run_type", "iteration"},
      {"repetitions", repetitions},
      {"repetition_index", row.repetition},
      {"threads", 1},
      {"iterations", row.operations},
      {"real_time", row.real_ns},
      {"cpu_time", row.cpu_ns},
      {"time_unit", "ns"},
      {"op", row.op},
      {"peer", row.peer},
      {"workload", row.workload},
      {"promise", row.promise},
      {"processes", row.processes},
      {"keys", row.keys},
      {"value_bytes", row.value_bytes},
  };
  if (!row.error.empty()) {
    json["error_occurred"] = true;
    json["error_message"] = row.error;
    return json;
  }
  if (row.bytes_per_entry) {
    json["bytes_per_entry"] = *row.bytes_per_entry;
    return json;
  }
  json["ops_per_s"] = row.ops_per_s;
  json["busy_share"] = row.busy_share;
  json["p50_ns"] = row.latency_ns.percentile(0.5);
  json["p90_ns"] = row.latency_ns.percentile(0.9);
  json["p99_ns"] = row.latency_ns.percentile(0.99);
  json["p999_ns"] = row.latency_ns.percentile(0.999);
  json["max_ns"] = row.latency_ns.highest();
  if (row.rate > 0) json["rate"] = row.rate;
  if (row.deaths > 0) json["deaths"] = row.deaths;
  if (row.blocks > 1 || row.workload.rfind("blocks", 0) == 0) json["blocks"] = row.blocks;
  if (row.hit_ratio) {
    json["hit_ratio"] = *row.hit_ratio;
    json["oracle_hit_ratio_least"] = *row.expected_hit_ratio;
    json["oracle_hit_ratio_most"] = *row.expected_hit_ratio + *row.undecided_ratio;
  }
  return json;
}

nlohmann::json machine_context(const std::string& executable) {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  std::array<double, 3> load{};
  ::getloadavg(load.data(), 3);
  return {
      {"date", date_now()},
      {"host_name", host.data()},
      {"executable", executable},
      {"num_cpus", ::sysconf(_SC_NPROCESSORS_ONLN)},
      {"mhz_per_cpu", static_cast<int>(mhz())},
      {"cpu_scaling_enabled",
       std::filesystem::exists("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") &&
           first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") != "performance"},
      {"caches", caches()},
      {"load_avg", load},
      {"library_build_type", SESSIONBLOCKS_BUILD_TYPE}};
}

}  // namespace sessionblocks::bench
