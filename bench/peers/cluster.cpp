#include "cluster.hpp"

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "failure.hpp"

namespace sessionblocks::bench {
namespace {

constexpr double kSecondMs = 1'000;

// Fields may stand in quotes and then have commas; quotes inside quotes do not occur in this table.
std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  bool is_quoted = false;
  for (const char c : line) {
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (c == ',' && !is_quoted) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

class Line {
 public:
  Line(const std::vector<std::string>& columns, const std::string& text, std::size_t number)
      : fields_(fields_of(text)), number_(number) {
    if (fields_.size() != columns.size()) {
      fail_here("has " + std::to_string(fields_.size()) + " fields, not " +
                std::to_string(columns.size()));
    }
    for (std::size_t i = 0; i < columns.size(); ++i) by_name_[columns[i]] = fields_[i];
  }

  [[nodiscard]] const std::string& text(const std::string& column) const {
    const auto found = by_name_.find(column);
    if (found == by_name_.end()) fail_here("has no column " + column);
    return found->second;
  }
  [[nodiscard]] bool has(const std::string& column) const {
    const std::string& field = text(column);
    return !field.empty() && field != "NA" && field != "N/A";
  }
  [[nodiscard]] double number(const std::string& column) const {
    return parse(text(column), column);
  }
  [[nodiscard]] double parse(const std::string& field, const std::string& column) const {
    std::size_t used = 0;
    double number = 0;
    try {
      number = std::stod(field, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    if (used == 0 || used != field.size() || !std::isfinite(number) || number < 0) {
      fail_here("has '" + field + "' as " + column + ", which is no number from 0 up");
    }
    return number;
  }
  [[noreturn]] void fail_here(const std::string& what) const {
    throw UsageError("line " + std::to_string(number_) + " of the table of clusters " + what +
                     "; it shall be twitter_2020mar_clusters.csv");
  }

 private:
  std::vector<std::string> fields_;
  std::map<std::string, std::string> by_name_;
  std::size_t number_;
};

// "get:0.99", "1.8h:0.28,": a word and its share.
std::pair<std::string, double> share_of(const Line& line, std::string word,
                                        const std::string& column) {
  if (!word.empty() && word.back() == ',') word.pop_back();
  const auto colon = word.find(':');
  if (colon == std::string::npos) line.fail_here("has '" + word + "' in " + column);
  return {word.substr(0, colon), line.parse(word.substr(colon + 1), column)};
}

double milliseconds(const Line& line, const std::string& text) {
  static const std::map<char, double> kUnits = {
      {'s', kSecondMs}, {'m', 60 * kSecondMs}, {'h', 3'600 * kSecondMs}, {'d', 86'400 * kSecondMs}};
  const auto unit = text.empty() ? kUnits.end() : kUnits.find(text.back());
  if (unit == kUnits.end()) line.fail_here("has a lifetime '" + text + "' without s, m, h or d");
  return line.parse(text.substr(0, text.size() - 1), "common_TTL") * unit->second;
}

void read_lifetimes(const Line& line, Cluster& cluster) {
  if (!line.has("common_TTL")) return;
  std::istringstream words(line.text("common_TTL"));
  double sum = 0;
  for (std::string word; words >> word;) {
    const auto [lifetime, share] = share_of(line, word, "common_TTL");
    cluster.lifetimes.push_back({milliseconds(line, lifetime), share});
    sum += share;
  }
  // The table names the common ones only.
  for (auto& lifetime : cluster.lifetimes) lifetime.share /= sum;
}

void read_operations(const Line& line, Cluster& cluster) {
  std::istringstream words(line.text("operation"));
  for (std::string word; words >> word;) {
    const auto [operation, share] = share_of(line, word, "operation");
    if (operation == "get" || operation == "gets") {
      cluster.reads += share;
    } else if (operation == "delete") {
      cluster.erases += share;
    } else {
      cluster.writes += share;
    }
  }
  const double sum = cluster.reads + cluster.writes + cluster.erases;
  if (sum <= 0) line.fail_here("has no operations");
  cluster.reads /= sum;
  cluster.writes /= sum;
  cluster.erases /= sum;
}

}  // namespace

ClusterTable read_clusters(std::istream& text) {
  ClusterTable table;
  std::string row;
  if (!std::getline(text, row)) throw UsageError("the table of clusters is empty");
  const auto columns = fields_of(row);
  for (std::size_t number = 2; std::getline(text, row); ++number) {
    if (row.empty()) continue;
    const Line line(columns, row, number);
    Cluster cluster;
    cluster.name = line.text("cluster");
    if (!line.has("operation") || !line.has("key_size") || !line.has("value_size")) {
      table.left_out.push_back(cluster.name + ": the table has no sizes or operations of it");
      continue;
    }
    cluster.key_bytes = static_cast<std::uint64_t>(line.number("key_size"));
    cluster.value_bytes = static_cast<std::uint64_t>(line.number("value_size"));
    // Where no exponent could be fitted, every key is as likely as any other.
    if (line.has("Zipf_alpha")) cluster.zipf_alpha = line.number("Zipf_alpha");
    read_lifetimes(line, cluster);
    read_operations(line, cluster);
    table.clusters.push_back(std::move(cluster));
  }
  if (table.clusters.empty()) throw UsageError("the table of clusters names none");
  return table;
}

ClusterTable read_clusters_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw UsageError("cannot read " + path + "; name the table with --clusters FILE");
  return read_clusters(file);
}

}  // namespace sessionblocks::bench
