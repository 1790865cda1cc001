#include "../../bench/peers/cluster.hpp"

#include <catch2/catch.hpp>
#include <sstream>

#include "../../bench/peers/failure.hpp"

using namespace sessionblocks::bench;

namespace {

const std::string kHead =
    "cluster,production_miss_ratio,category,key_size,value_size,request_rate_(kqps),mean_freq,"
    "one-hit-wonder_ratio_(%),compulsory_miss_ratio_(%),common_TTL,"
    "WSS_in_MB_(not_considering_ttl),WSS_in_MB_(working_set_size),operation,Zipf_alpha\n";

ClusterTable read(const std::string& rows) {
  std::istringstream text(kHead + rows);
  return read_clusters(text);
}

}  // namespace

TEST_CASE("a cluster's sizes, mix, lifetimes and exponent are read") {
  const auto table = read(
      "cluster14,0.1,2,67,2439,5.26,26.5,29.33,3.77,\"60s:0.39, 1.5h:0.24, 2d:0.15,\",0,0,"
      "get:0.65 delete:0.22 set:0.10 incr:0.03,1.2959\n");
  REQUIRE(table.clusters.size() == 1);
  const Cluster& cluster = table.clusters[0];
  CHECK(cluster.name == "cluster14");
  CHECK(cluster.key_bytes == 67);
  CHECK(cluster.value_bytes == 2'439);
  CHECK(cluster.zipf_alpha == 1.2959);
  CHECK(cluster.reads == Approx(0.65));
  CHECK(cluster.writes == Approx(0.13));
  CHECK(cluster.erases == Approx(0.22));
  REQUIRE(cluster.lifetimes.size() == 3);
  CHECK(cluster.lifetimes[0].ms == 60'000);
  CHECK(cluster.lifetimes[1].ms == 1.5 * 3'600'000);
  CHECK(cluster.lifetimes[2].ms == 2 * 86'400'000.0);
  CHECK(cluster.lifetimes[0].share == Approx(0.5));  // of those named
}

TEST_CASE("a cluster without sizes or operations is left out, and named") {
  const auto table = read(
      "cluster5,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,N/A,NA\n"
      "cluster6,0.1,2,44,252,12.61,327.3,0.63,0.31,\"520s:1.00,\",0,0,get:0.98 set:0.02,NA\n");
  REQUIRE(table.clusters.size() == 1);
  CHECK(table.clusters[0].zipf_alpha == 0);
  REQUIRE(table.left_out.size() == 1);
  CHECK(table.left_out[0].find("cluster5") == 0);
}

TEST_CASE("a table that is none is refused, and the line is named") {
  const std::string row = "cluster6,0.1,2,44,252,1,1,1,1,\"520s:1.00,\",0,0,get:1.00,1.1\n";
  CHECK_NOTHROW(read(row));
  for (const std::string& broken :
       {std::string("cluster6,1\n"),
        std::string("cluster6,0.1,2,-4,252,1,1,1,1,\"520s:1.00,\",0,0,get:1.00,1.1\n"),
        std::string("cluster6,0.1,2,44,many,1,1,1,1,\"520s:1.00,\",0,0,get:1.00,1.1\n"),
        std::string("cluster6,0.1,2,44,252,1,1,1,1,\"520:1.00,\",0,0,get:1.00,1.1\n"),
        std::string("cluster6,0.1,2,44,252,1,1,1,1,\"520s:1.00,\",0,0,get,1.1\n"),
        std::string("cluster6,0.1,2,44,252,1,1,1,1,\"520s:1.00,\",0,0,get:nan,1.1\n")}) {
    CAPTURE(broken);
    CHECK_THROWS_WITH(read(row + broken), Catch::Contains("line 3 "));
  }
  std::istringstream empty;
  CHECK_THROWS_AS(read_clusters(empty), UsageError);
  CHECK_THROWS_AS(read(""), UsageError);
  CHECK_THROWS_AS(read_clusters_file("/nonexistent"), UsageError);
}
