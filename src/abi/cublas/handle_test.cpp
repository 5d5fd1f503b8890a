// Handles, settings, logs, transfers, and how calls stand in streams and graphs.
#include "abi/cublas/cublas_test.h"

#include <unistd.h>

#include <atomic>
#include <fstream>

namespace guda::cublas::test {
namespace {

TEST(CublasHandle, SettingsAreKeptAndChecked) {
  Cublas cublas;
  void* none = nullptr;
  auto setting = [&](const std::string& name, int good, int bad) {
    int value = -1;
    EXPECT_EQ(call("cublasSet" + name, cublas.handle, good), 0) << name;
    EXPECT_EQ(call("cublasGet" + name, cublas.handle, &value), 0) << name;
    EXPECT_EQ(value, good) << name;
    EXPECT_EQ(call("cublasSet" + name, cublas.handle, bad), kInvalidValue) << name;
    EXPECT_EQ(call("cublasSet" + name, none, good), kNotInitialized) << name;
  };
  setting("PointerMode_v2", 1, 2);
  setting("AtomicsMode", 1, -1);
  EXPECT_EQ(call("cublasSetMathMode", cublas.handle, 7), 0) << "a combination without a name";
  int mode = 0;
  EXPECT_EQ(call("cublasSetMathMode", cublas.handle, 3), 0);
  EXPECT_EQ(call("cublasGetMathMode", cublas.handle, &mode), 0);
  EXPECT_EQ(mode, 3);
  setting("SmCountTarget", 1, 1000000);
  setting("EmulationStrategy", 2, 3);
  setting("EmulationSpecialValuesSupport", 1, -1);
  setting("FixedPointEmulationMantissaControl", 1, 5);
  setting("FixedPointEmulationMaxMantissaBitCount", 53, -1);
  int value = 0, *place = nullptr;
  EXPECT_EQ(call("cublasSetFixedPointEmulationMantissaBitOffset", cublas.handle, -4), 0);
  EXPECT_EQ(call("cublasGetFixedPointEmulationMantissaBitOffset", cublas.handle, &value), 0);
  EXPECT_EQ(value, -4);
  EXPECT_EQ(call("cublasSetFixedPointEmulationMantissaBitCountPointer", cublas.handle, &value), 0);
  EXPECT_EQ(call("cublasGetFixedPointEmulationMantissaBitCountPointer", cublas.handle, &place), 0);
  EXPECT_EQ(place, &value);
  void *stream = nullptr, *read = &value;
  EXPECT_EQ(call("cudaStreamCreate", &stream), 0);
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, stream), 0);
  EXPECT_EQ(call("cublasGetStream_v2", cublas.handle, &read), 0);
  EXPECT_EQ(read, stream);
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, none), 0);
  EXPECT_EQ(call("cudaStreamDestroy", stream), 0);
  Array<char> workspace(1 << 12);
  EXPECT_EQ(call("cublasSetWorkspace_v2", cublas.handle, workspace.get(), workspace.size()), 0);
  EXPECT_EQ(call("cublasSetWorkspace_v2", cublas.handle, workspace.get() + 1, size_t{64}), 0);
}

TEST(CublasHandle, VersionsAndNames) {
  Cublas cublas;
  int version = 0, major = 0, minor = 0, patch = 0;
  EXPECT_EQ(call("cublasGetVersion_v2", cublas.handle, &version), 0);
  EXPECT_EQ(call("cublasGetProperty", 0, &major), 0);
  EXPECT_EQ(call("cublasGetProperty", 1, &minor), 0);
  EXPECT_EQ(call("cublasLtGetProperty", 2, &patch), 0);
  EXPECT_EQ(call("cublasGetProperty", 3, &patch), kInvalidValue);
  EXPECT_EQ(version, major * 10000 + minor * 100 + patch);
  EXPECT_EQ(call_as<size_t>("cublasLtGetVersion"), size_t(version));
  EXPECT_EQ(call("cublasGetVersion", &version), 0);
  EXPECT_GE(call_as<size_t>("cublasGetCudartVersion"), 11000u);
  EXPECT_GE(call_as<size_t>("cublasLtGetCudartVersion"), 11000u);
  for (const char* library : {"cublas", "cublasLt"}) {
    std::string prefix = library;
    EXPECT_STREQ(call_as<const char*>(prefix + "GetStatusName", 13),
                 "CUBLAS_STATUS_EXECUTION_FAILED");
    EXPECT_STREQ(call_as<const char*>(prefix + "GetStatusString", 7),
                 "an unsupported value or parameter was passed to the function");
  }
  testing::internal::CaptureStdout();
  call_as<void>("cublasXerbla", "SGEMM", 3);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("SGEMM"), std::string::npos);
}

// A call may be logged in several messages.
std::string messages;
void remember(const char* message) { messages += message; }

TEST(CublasHandle, CallsAreLogged) {
  void (*callback)(const char*) = nullptr;
  EXPECT_EQ(call("cublasSetLoggerCallback", &remember), 0);
  EXPECT_EQ(call("cublasGetLoggerCallback", &callback), 0);
  EXPECT_EQ(callback, &remember);
  {
    Cublas cublas;
    EXPECT_NE(messages.find("cublasCreate_v2"), std::string::npos);
    cublas.pointer_mode(1);
    EXPECT_NE(messages.find("cublasSetPointerMode_v2"), std::string::npos);
  }
  EXPECT_EQ(call("cublasSetLoggerCallback", static_cast<void (*)(const char*)>(nullptr)), 0);
  std::string path = testing::TempDir() + "guda_cublas_log_" + std::to_string(getpid());
  EXPECT_EQ(call("cublasLoggerConfigure", 1, 0, 0, path.c_str()), 0);
  {
    Cublas cublas;
  }
  EXPECT_EQ(call("cublasLoggerConfigure", 0, 0, 0, static_cast<const char*>(nullptr)), 0);
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_NE(text.find("cublasDestroy_v2"), std::string::npos);
  std::remove(path.c_str());
}

template <class Int>
void transfers() {
  std::string s = suffix<Int>();
  Int n = 5, element = sizeof(float), two = 2, three = 3, one = 1;
  void* stream = nullptr;
  std::vector<float> host(15);
  for (size_t i = 0; i < host.size(); ++i) host[i] = float(i);
  for (std::string async : {"", "Async"}) {
    auto copy = [&](const std::string& name, auto... args) {
      if (async.empty()) return call(name + s, args...);
      return call(name + async + s, args..., stream);
    };
    Array<float> device(15, -1.0f);
    std::vector<float> back(15, -2.0f);
    EXPECT_EQ(copy("cublasSetVector", n, element, host.data(), two, device.get(), three), 0);
    EXPECT_EQ(copy("cublasGetVector", n, element, device.get(), three, back.data(), one), 0);
    synchronize();
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(device[3 * i], host[2 * i]);
      EXPECT_EQ(back[i], host[2 * i]);
    }
    EXPECT_EQ(device[1], -1.0f);
    // 2 rows and 3 columns.
    EXPECT_EQ(copy("cublasSetMatrix", two, three, element, host.data(), n, device.get(), three), 0);
    EXPECT_EQ(copy("cublasGetMatrix", two, three, element, device.get(), three, back.data(), two),
              0);
    synchronize();
    EXPECT_EQ(back[0], host[0]);
    EXPECT_EQ(back[3], host[6]);
    EXPECT_EQ(back[5], host[11]);
    EXPECT_EQ(copy("cublasSetVector", n, element, host.data(), Int{0}, device.get(), one),
              kInvalidValue);
    EXPECT_EQ(copy("cublasSetMatrix", three, two, element, host.data(), two, device.get(), three),
              kMappingError)
        << "a leading dimension below the rows";
    // NVIDIA's next transfer finds the error of this one.
    if (against_nvidia())
      copy("cublasSetMatrix", two, three, element, host.data(), n, device.get(), three);
    call("cudaGetLastError");  // NVIDIA's copy leaves it
  }
}
TEST(CublasTransfer, StridedVectorsAndMatrices) {
  transfers<int>();
  transfers<int64_t>();
}

TEST(CublasLegacy, MemoryAndState) {
  void* memory = nullptr;
  EXPECT_EQ(call("cublasInit"), 0);
  EXPECT_EQ(call("cublasAlloc", 16, 4, &memory), 0);
  EXPECT_NE(memory, nullptr);
  EXPECT_EQ(call("cublasFree", memory), 0);
  EXPECT_EQ(call("cublasAlloc", 0, 4, &memory), kInvalidValue);
  EXPECT_EQ(call("cublasSetKernelStream", static_cast<void*>(nullptr)), 0);
  EXPECT_EQ(call("cublasShutdown"), 0);
}

// Streams ----------------------------------------------------------------------------------------------

std::atomic<bool> gate{false};
void wait_for_gate(void*) {
  while (!gate) usleep(100);
}

struct Stream {
  void* handle = nullptr;
  Stream() { EXPECT_EQ(call("cudaStreamCreateWithFlags", &handle, 1u), 0); }
  ~Stream() { EXPECT_EQ(call("cudaStreamDestroy", handle), 0); }
  void synchronize() { EXPECT_EQ(call("cudaStreamSynchronize", handle), 0); }
};

TEST(CublasStream, WorkWaitsForWhatIsBeforeIt) {
  if (against_nvidia()) GTEST_SKIP() << "loading a kernel for its first launch waits for the gate";
  Cublas cublas;
  Stream stream;
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, stream.handle), 0);
  Array<float> x(std::vector<float>{1, 2}), y(2);
  float alpha = 3;
  gate = false;
  void* nothing = nullptr;
  EXPECT_EQ(call("cudaLaunchHostFunc", stream.handle, &wait_for_gate, nothing), 0);
  EXPECT_EQ(call("cublasSaxpy_v2", cublas.handle, 2, &alpha, x.get(), 1, y.get(), 1), 0);
  alpha = 100;  // taken by value at the call
  x[0] = 10;  // read when it runs
  EXPECT_EQ(y[0], 0) << "the call came back before the work was done";
  gate = true;
  stream.synchronize();
  EXPECT_EQ(y[0], 30);
  EXPECT_EQ(y[1], 6);
  // A result for the host waits for the stream.
  gate = false;
  EXPECT_EQ(call("cublasSscal_v2", cublas.handle, 2, &alpha, x.get(), 1), 0);
  float sum = 0;
  gate = true;
  EXPECT_EQ(call("cublasSasum_v2", cublas.handle, 2, x.get(), 1, &sum), 0);
  EXPECT_EQ(sum, 1200);
}

TEST(CublasStream, DeviceScalarsAreReadWhenTheWorkRuns) {
  if (against_nvidia()) GTEST_SKIP() << "loading a kernel for its first launch waits for the gate";
  Cublas cublas;
  Stream stream;
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, stream.handle), 0);
  cublas.pointer_mode(kDevicePointers);
  Array<float> x(2, 1.0f), norm(1), scaled(2, 1.0f);
  gate = false;
  void* nothing = nullptr;
  EXPECT_EQ(call("cudaLaunchHostFunc", stream.handle, &wait_for_gate, nothing), 0);
  EXPECT_EQ(call("cublasSasum_v2", cublas.handle, 2, x.get(), 1, norm.get()), 0);
  EXPECT_EQ(call("cublasSscal_v2", cublas.handle, 2, norm.get(), scaled.get(), 1), 0);
  gate = true;
  stream.synchronize();
  EXPECT_EQ(norm[0], 2);
  EXPECT_EQ(scaled[1], 2);
}

TEST(CublasStream, BadStreamsAreRefused) {
  if (against_nvidia()) GTEST_SKIP() << "the driver reads the stream";
  Cublas cublas;
  float alpha = 1, x = 1;
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, reinterpret_cast<void*>(0x1234560)), 0);
  EXPECT_EQ(call("cublasSscal_v2", cublas.handle, 1, &alpha, &x, 1), kInvalidValue);
}

TEST(CublasStream, CallsAreCapturedIntoGraphs) {
  Cublas cublas;
  Stream stream;
  EXPECT_EQ(call("cublasSetStream_v2", cublas.handle, stream.handle), 0);
  Array<float> a(std::vector<float>{1, 0, 0, 1}), c(4);
  float one = 1;
  void *graph = nullptr, *exec = nullptr;
  EXPECT_EQ(call("cudaStreamBeginCapture", stream.handle, 0), 0);
  EXPECT_EQ(call("cublasSgemm_v2", cublas.handle, kN, kN, 2, 2, 2, &one, a.get(), 2, a.get(), 2,
                 &one, c.get(), 2),
            0);
  EXPECT_EQ(call("cudaStreamEndCapture", stream.handle, &graph), 0);
  EXPECT_EQ(c[0], 0) << "captured, not run";
  size_t nodes = 0;
  EXPECT_EQ(call("cudaGraphGetNodes", graph, static_cast<void**>(nullptr), &nodes), 0);
  EXPECT_GE(nodes, 1u);
  EXPECT_EQ(call("cudaGraphInstantiate", &exec, graph, 0ull), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call("cudaGraphLaunch", exec, stream.handle), 0);
  stream.synchronize();
  EXPECT_EQ(c.values(), (std::vector<float>{3, 0, 0, 3}));
  EXPECT_EQ(call("cudaGraphExecDestroy", exec), 0);
  EXPECT_EQ(call("cudaGraphDestroy", graph), 0);
  // A result on the host cannot be had in a capture.
  float sum = 0;
  EXPECT_EQ(call("cudaStreamBeginCapture", stream.handle, 0), 0);
  EXPECT_NE(call("cublasSasum_v2", cublas.handle, 4, c.get(), 1, &sum), 0);
  EXPECT_EQ(call("cudaStreamEndCapture", stream.handle, &graph), 901);
  call("cudaGetLastError");
}

}  // namespace
}  // namespace guda::cublas::test
