// SQLite's C interface with our errors: one prepared statement, bound and stepped; a transaction.
#pragma once

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>

namespace sessionblocks::datablock {

[[nodiscard]] inline Error error_of(sqlite3* database, int code, std::string_view tried) {
  const std::string text = std::string(tried) + ": " + sqlite3_errmsg(database);
  switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Errc::timed_out, text + "; another program holds the file, try again"};
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return {Errc::out_of_memory, text};
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return {Errc::denied, text};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Errc::corrupt, text};
    default:
      return {Errc::io_error, text};
  }
}

[[nodiscard]] inline Result<void> execute(sqlite3* database, const char* sql) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  return tl::unexpected<Error>(error_of(database, code, "DataBlocks"));
}

class Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    sqlite3_stmt* made = nullptr;
    code_ = sqlite3_prepare_v2(database, sql, -1, &made, nullptr);
    statement_.reset(made);
  }

  // Bound one after the other. Bytes must live until the step.
  Statement& number(std::int64_t value) { return keep(sqlite3_bind_int64(get(), ++bound_, value)); }
  Statement& number(std::uint64_t value) { return number(static_cast<std::int64_t>(value)); }
  Statement& real(double value) { return keep(sqlite3_bind_double(get(), ++bound_, value)); }
  Statement& nothing() { return keep(sqlite3_bind_null(get(), ++bound_)); }
  Statement& text(std::string_view value) {
    return keep(sqlite3_bind_text64(get(), ++bound_, not_null(value.data()), value.size(),
                                    SQLITE_STATIC, SQLITE_UTF8));
  }
  Statement& blob(std::span<const std::byte> value) {
    const auto* const bytes = not_null(reinterpret_cast<const char*>(value.data()));
    return keep(sqlite3_bind_blob64(get(), ++bound_, bytes, value.size(), SQLITE_STATIC));
  }

  // Whether there is a row.
  [[nodiscard]] Result<bool> step() {
    if (code_ == SQLITE_OK) code_ = sqlite3_step(get());
    const int code = std::exchange(code_, SQLITE_OK);
    if (code == SQLITE_ROW || code == SQLITE_DONE) return code == SQLITE_ROW;
    return tl::unexpected<Error>(error_of(database_, code, "DataBlocks"));
  }
  void reset() {
    sqlite3_reset(get());
    bound_ = 0;
  }

  [[nodiscard]] int type_at(int column) { return sqlite3_column_type(get(), column); }
  [[nodiscard]] std::int64_t number_at(int column) { return sqlite3_column_int64(get(), column); }
  [[nodiscard]] double real_at(int column) { return sqlite3_column_double(get(), column); }
  // Until the next step.
  [[nodiscard]] std::span<const std::byte> bytes_at(int column) {
    const auto* const bytes = static_cast<const std::byte*>(sqlite3_column_blob(get(), column));
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), column))};
  }
  [[nodiscard]] std::string text_at(int column) {
    const auto bytes = bytes_at(column);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  [[nodiscard]] sqlite3_stmt* get() const noexcept { return statement_.get(); }
  // A null pointer would be NULL, and not the empty value.
  [[nodiscard]] static const char* not_null(const char* data) noexcept {
    return data != nullptr ? data : "";
  }
  Statement& keep(int code) {
    if (code_ == SQLITE_OK) code_ = code;
    return *this;
  }

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int code_ = SQLITE_OK;
  int bound_ = 0;
};

// Undone unless it was committed.
class Transaction {
 public:
  explicit Transaction(sqlite3* database) : database_(database) {}
  ~Transaction() {
    if (is_open_) static_cast<void>(execute(database_, "ROLLBACK"));
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  [[nodiscard]] Result<void> begin() {
    auto begun = execute(database_, "BEGIN IMMEDIATE");
    is_open_ = begun.has_value();
    return begun;
  }
  [[nodiscard]] Result<void> commit() {
    auto committed = execute(database_, "COMMIT");
    is_open_ = !committed.has_value();
    return committed;
  }

 private:
  sqlite3* database_;
  bool is_open_ = false;
};

}  // namespace sessionblocks::datablock
