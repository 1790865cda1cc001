// The inside of Director: connections, attachments, timers. Only director*.cpp include it.
#pragma once

#include <list>
#include <map>
#include <set>
#include <thread>

#include "director/adoption.hpp"
#include "director/director.hpp"
#include "director/requests.hpp"
#include "platform/file_lock.hpp"

namespace sessionblocks::director {

class Director::Core {
 public:
  explicit Core(DirectorOptions given) : options(std::move(given)) {}
  ~Core();

  [[nodiscard]] Result<void> start();
  Outcome run();
  void begin_stop();

  DirectorOptions options;
  EventLoop loop;
  RuntimePaths paths;
  OperatorKey key;
  std::unique_ptr<Guard> guard;  // outlives the registry, whose audit it hears
  std::unique_ptr<Registry> registry;

 private:
  // A worker that is attached: its process is watched, its connection may come and go.
  struct Attachment {
    platform::UniqueFd pidfd;
    FdWatch watch;
    std::weak_ptr<Client> client;
  };

  // director_start.cpp
  [[nodiscard]] Result<void> take_lock();
  [[nodiscard]] Result<void> take_state() const;
  [[nodiscard]] Result<void> take_system(bool& goes_on);
  [[nodiscard]] Result<void> listen();
  [[nodiscard]] Result<void> start_scripts(bool goes_on);
  [[nodiscard]] std::string root_name() const;
  [[nodiscard]] RegistryOptions registry_options() const;
  [[nodiscard]] RequestContext request_context();
  void find_users();
  [[nodiscard]] Result<void> watch_adopted();

  // director.cpp
  void on_connections();
  void rest_from_connections(const Error& error);
  void refuse(platform::Connection& connection);
  void welcome(platform::Connection connection);
  void on_client_ended(Client& client, Client::End how);
  void attach(Client& client, WorkerId worker);
  void watch_worker(WorkerId worker, platform::UniqueFd pidfd);
  void end_worker(WorkerId worker, std::string_view why);
  void send_unmap(const Worker& worker, unsigned open);
  void housekeep();
  void watch_over();
  [[nodiscard]] Result<void> end_scope(ScopeId scope, std::string_view why);
  void on_suite_done(SuiteOutcome outcome);
  void finish();

  std::optional<platform::FileLock> lock_;
  std::optional<platform::Listener> listener_;
  FdWatch listener_watch_;
  Timer listener_rest_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<ScriptRunner> runner_;
  std::optional<RequestContext> context_;
  std::set<uid_t> users_;  // who may connect at all
  std::set<std::shared_ptr<Client>> clients_;
  std::map<WorkerId, Attachment> attachments_;
  Timer housekeeping_;
  Timer guarding_;
  std::chrono::milliseconds nap_{10};
  Outcome outcome_;
  bool is_stopping_ = false;
  bool is_suite_done_ = false;
  bool is_finished_ = false;
  bool is_directing_ = false;  // it has begun: blocks, scripts
  bool must_stay_ = false;     // an earlier director's system, which this one cannot take over
};

}  // namespace sessionblocks::director
