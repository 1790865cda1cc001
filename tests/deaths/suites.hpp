// The suites that the directors of these tests run.
#pragma once

#include <string>

#include "scene.hpp"

namespace sessionblocks::deaths {

inline const std::string kCart =
    "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"48MiB\"\n"
    "grants = { load = \"rw\", victim = \"rw\", watch = \"r\" }\n";
// For a worker alone: grants may name only scripts that there are.
inline const std::string kCartOfLoad =
    "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"8MiB\"\n"
    "grants = { load = \"rw\" }\n";
inline const std::string kSmallRings = "[director]\nring_records = 65536\n";

// Works in flow scopes, each with a block of its own.
inline const std::string kRestarts =
    "restart = \"always\"\nbudget = { count = 1000, within = \"60s\" }";
inline const std::string kFlows = "[block.draft]\nowner = \"flow.round\"\nquota = \"1MiB\"\n" +
                                  Scene::load("flows", 1, kRestarts);

// A child script that writes down what it was called with; and one that has it started all the
// time.
inline const std::string kErrand =
    "[script.errand]\ncommand = [\"sh\", \"-c\", \"echo $1 >> errands\", \"sh\"]\n"
    "parent = \"starter\"\nstart = \"on-request\"\n"
    "[block.of_errand]\nowner = \"script.errand\"\nquota = \"1MiB\"\n";
inline const std::string kErrands = Scene::load("starter", 1) + kErrand;

// Two that write, one that reads, one that is there to be killed, one that enters and leaves.
inline const std::string kService = kSmallRings + kCart + Scene::load("load", 2) +
                                    Scene::load("watch", 1) + Scene::load("victim", 1, kRestarts) +
                                    kFlows;
// The same in the shape that a suite without a word about rings has.
inline const std::string kDefaultRings =
    "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"48MiB\"\n"
    "grants = { load = \"rw\", watch = \"r\" }\n" +
    Scene::load("load", 2) + Scene::load("watch", 1);

inline const std::string kOnce =
    "[script.once]\ncommand = [\"sh\", \"-c\", \"echo once >> ran; exit 0\"]\n"
    "[block.once_own]\nowner = \"script.once\"\nquota = \"1MiB\"\n";
// One that goes on, one that ends well, one that fails, with a block of their own each.
inline const std::string kLifecycle = kSmallRings + kCartOfLoad + Scene::load("load", 1) + kOnce +
                                      "[script.twice]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\n"
                                      "budget = { count = 1, within = \"60s\" }\n";

}  // namespace sessionblocks::deaths
