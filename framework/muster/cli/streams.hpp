#pragma once

#include <functional>
#include <string_view>

namespace muster::cli {

/// Makes sure that descriptors 0, 1 and 2 are open, so that no file of ours gets such a number and
/// is taken for a stream. One that was closed behaves as if: reading from standard input and
/// writing to standard output fail, and what goes to standard error is lost.
/// Called first in main.
void open_missing_streams();

/// Writes a text to standard error. If nobody can read it, that is no reason to fail.
void say(std::string_view text) noexcept;

/// Writes a line for people to standard error, with the time: "12:34:56 PROGRAM: LINE".
void log_line(std::string_view program, std::string_view line);

/// Thrown by write_result() when the reader of our standard output has gone: not an error of ours.
struct ReaderGone {};

/// Writes to standard output, past stdio. Calls `check_stop`, which may throw, before it writes
/// and, while a slow reader lets it wait, several times a second. Throws ReaderGone, Error(io or
/// no_space).
void write_result(std::string_view bytes, const std::function<void()>& check_stop);

/// Writes out what stdio holds for standard output. Throws Error(io or no_space) if that, or any
/// write before, failed.
void flush_stdout();

}  // namespace muster::cli
