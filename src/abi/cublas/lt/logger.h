// Where messages about calls of cublasLt go.
#pragma once

#include <atomic>
#include <string>

namespace guda::cublas::lt {

/// Levels of CUBLASLT_LOG_LEVEL; bit level - 1 of the mask asks for one alone.
enum Level : int { kError = 1, kTrace = 2, kHint = 3, kInfo = 4, kApiTrace = 5 };

extern std::atomic<bool> log_on;

void write_log(Level level, const char* function, const std::string& text);

}  // namespace guda::cublas::lt
