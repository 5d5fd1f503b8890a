// The entries have the signatures that the toolkit's headers declare. Needs those headers.
#include "abi/cublas/entry.h"

#include <cublasLt.h>
#include <cublasXt.h>
#include <gtest/gtest.h>

extern "C" const char* guda_cublas_signature(const char* name);

namespace {

/// As guda::cublas::entry_record has it; arrays are pointers.
template <typename R, typename... Args>
std::string signature(R (*)(Args...)) {
  return {guda::cublas::signature_letter<R>(), guda::cublas::signature_letter<Args>()...};
}

TEST(CublasSignatures, EntriesAreDeclaredAsInTheHeaders) {
#define CHECK(name)                                                              \
  do {                                                                           \
    const char* ours = guda_cublas_signature(#name);                             \
    EXPECT_STREQ(ours ? ours : "no entry", signature(&::name).c_str()) << #name; \
  } while (false)
#include "signature_checks.inc"
}

}  // namespace
