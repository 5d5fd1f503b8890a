// PTX that no compiler takes, at the places where CUDA says so (as an H100's driver 580 does).
#include <string>

#include "abi/cuda/driver_test.h"

namespace guda::cuda {
namespace {

/// A text with kernel `k`; the body starts in line 7.
std::string kernel_with(const std::string& body, const std::string& rest = {}) {
  return ".version 7.5\n.target sm_75\n.address_size 64\n.visible .entry k()\n{\n"
         ".reg .u32 %r<4>; .reg .pred %p<2>;\n" +
         body + "\nret;\n}\n" + rest;
}

/// Options with a log for errors.
struct Log {
  char text[1024] = "untouched";
  int options[2] = {5, 6};
  void* values[2] = {text, reinterpret_cast<void*>(sizeof text)};

  size_t size() const { return reinterpret_cast<uintptr_t>(values[1]); }
  bool has(const std::string& part) const {
    return std::string(text).find(part) != std::string::npos;
  }
};

class BadPtx : public DriverApi {
 protected:
  CUresult load_module(const std::string& text, Log& log) {
    CUmodule module = nullptr;
    const CUresult result =
        cu("cuModuleLoadDataEx", &module, static_cast<const void*>(text.c_str()), 2u, log.options,
           static_cast<void**>(log.values));
    EXPECT_EQ(module == nullptr, result != 0);
    if (module) cu("cuModuleUnload", module);
    return result;
  }
};

TEST_F(BadPtx, GoodPtxLeavesAnEmptyLog) {
  Log log;
  EXPECT_EQ(load_module(kernel_with("mov.u32 %r1, 1;"), log), 0);
  EXPECT_STREQ(log.text, "");
  EXPECT_EQ(log.size(), 0u);
}

TEST_F(BadPtx, IsReportedWhenAModuleIsLoaded) {
  const struct {
    const char* body;
    const char* line;
    const char* names;
  } cases[] = {
      {"mov.u32 %r1, 1", "line 8", "'ret'"},
      {"frobnicate.u32 %r1, 1;", "line 7", "'frobnicate'"},
      {"mov.u32 %r9, 1;", "line 7", "'%r9'"},
      {"mov.u32 %r1, %q;", "line 7", "'%q'"},
      {"@%p7 mov.u32 %r1, 1;", "line 7", "'%p7'"},
      {"ld.global.u32 %r1, [nowhere];", "line 7", "'nowhere'"},
      {"mov.u32 %r1, 1;\nbra $L_nowhere;", "line 8", "'$L_nowhere'"},
      {"{ .reg .u32 %inner; }\nmov.u32 %r1, %inner;", "line 8", "'%inner'"},
      {"$L1:\n$L1: mov.u32 %r1, 1;", "line 8", "'$L1'"},
      {"mov.u32 %r1, %nosuch;", "line 7", "'%nosuch'"},
  };
  for (const auto& test : cases) {
    Log log;
    EXPECT_EQ(load_module(kernel_with(test.body), log), 218) << test.body;
    EXPECT_TRUE(log.has("error")) << log.text;
    EXPECT_TRUE(log.has(test.line)) << log.text;
    EXPECT_TRUE(log.has(test.names)) << log.text;
    EXPECT_EQ(log.size(), std::string(log.text).size()) << test.body;
  }
}

TEST_F(BadPtx, CountsInFunctionsThatNobodyCalls) {
  Log log;
  EXPECT_EQ(load_module(kernel_with("", ".func unused()\n{\nbra $nowhere;\n}\n"), log), 218);
  EXPECT_TRUE(log.has("line 12")) << log.text;
  EXPECT_TRUE(log.has("'$nowhere'")) << log.text;
}

TEST_F(BadPtx, ListsAllProblems) {
  Log log;
  EXPECT_EQ(load_module(kernel_with("mov.u32 %r9, 1;\nbra $L;\nfrobnicate;"), log), 218);
  EXPECT_TRUE(log.has("'%r9'") && log.has("'$L'") && log.has("'frobnicate'")) << log.text;
}

TEST_F(BadPtx, IsWhatCallsUndefinedFunctions) {
  Log log;
  const std::string text = ".extern .func elsewhere();\n";
  EXPECT_EQ(load_module(".version 7.5\n.target sm_75\n.address_size 64\n" + text +
                            ".visible .entry k()\n{\ncall elsewhere;\nret;\n}\n",
                        log),
            218);
  EXPECT_TRUE(log.has("Unresolved extern function 'elsewhere'")) << log.text;
}

TEST_F(BadPtx, TextThatIsNoPtxIsAnInvalidImage) {
  Log log;
  EXPECT_EQ(load_module("not a module", log), 200);
  EXPECT_TRUE(log.has("error")) << log.text;
}

TEST_F(BadPtx, OfALibraryIsReportedWhenSomethingIsLookedUp) {
  const std::string text = kernel_with("frobnicate;");
  Log log;
  void* library = nullptr;
  ASSERT_EQ(cu("cuLibraryLoadData", &library, static_cast<const void*>(text.c_str()), log.options,
               static_cast<void**>(log.values), 2u, static_cast<int*>(nullptr),
               static_cast<void**>(nullptr), 0u),
            0);
  EXPECT_TRUE(log.has("'frobnicate'")) << log.text;
  void* kernel = nullptr;
  EXPECT_EQ(cu("cuLibraryGetKernel", &kernel, library, "k"), 218);
  EXPECT_EQ(kernel, nullptr);
  EXPECT_EQ(cu("cuLibraryUnload", library), 0);
}

TEST_F(BadPtx, OfALinkIsReportedWhenItIsAdded) {
  const auto add = [](std::string text, Log& log) {
    void* state = nullptr;
    EXPECT_EQ(cu("cuLinkCreate_v2", 2u, log.options, static_cast<void**>(log.values), &state), 0);
    const CUresult result =
        cu("cuLinkAddData_v2", state, 1, static_cast<void*>(text.data()), text.size() + 1, "unit",
           0u, static_cast<int*>(nullptr), static_cast<void**>(nullptr));
    EXPECT_EQ(cu("cuLinkDestroy", state), 0);
    return result;
  };
  Log log;
  EXPECT_EQ(add(kernel_with("frobnicate;"), log), 218);
  EXPECT_TRUE(log.has("line 7") && log.has("'frobnicate'")) << log.text;
  Log other;
  EXPECT_EQ(add(kernel_with("", ".extern .func f();\n.func g() { call f; ret; }\n"), other), 0)
      << "another unit may define it: " << other.text;
}

TEST_F(BadPtx, AnInstructionWithoutAFormFailsTheLaunchOnly) {
  if (!against_guda()) GTEST_SKIP();
  Log log;
  CUmodule module =
      load(kernel_with("wgmma.fence.sync.aligned;", ".visible .entry other() { ret; }\n").c_str());
  EXPECT_EQ(launch(function(module, "other"), 1, 1, nullptr), 0);
  EXPECT_EQ(cu("cuCtxSynchronize"), 0);
  EXPECT_NE(launch(function(module, "k"), 1, 1, nullptr), 0);
  EXPECT_EQ(cu("cuModuleUnload", module), 0);
}

}  // namespace
}  // namespace guda::cuda
