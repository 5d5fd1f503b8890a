// With GUDA_CHECK_OPERANDS=1 each operation that a test of this program submits is first run on copies of the memory,
// to compare what it touches with what it has declared (memory_use.h), byte by byte:
//   - with all bytes inverted that are not declared, it must compute the same: it reads nothing else;
//   - bytes that are not declared as written must stay: it writes nothing else.
// The functions of libguda that cuBLAS submits through are found here first, since symbols of the program go before.
#include "abi/cublas/cublas_test.h"
#include "abi/cublas/library_stream.h"

#include <algorithm>
#include <map>

namespace guda::cublas::test {
namespace {

bool checking() {
  static const bool on = std::getenv("GUDA_CHECK_OPERANDS") != nullptr;
  return on;
}

template <typename Function>
Function of_libguda(const char* name) {
  static void* library = dlopen(GUDA_LIBRARIES "/libguda.so", RTLD_NOW);
  return reinterpret_cast<Function>(dlsym(library, name));
}

/// The names of functions whose operations have been compared, and of those that declared everything.
std::map<std::string, int>& compared() {
  static std::map<std::string, int> names;
  return names;
}
std::set<std::string>& unknown() {
  static std::set<std::string> names;
  return names;
}

/// An Array's memory with a mark for each byte.
struct Block {
  static constexpr uint8_t kDeclared = 1, kWritten = 2;
  std::byte* start;
  std::vector<std::byte> before, poisoned, after;
  std::vector<uint8_t> marks;

  Block(void* memory, size_t bytes) : start(static_cast<std::byte*>(memory)), marks(bytes) {
    before = current();
  }
  std::vector<std::byte> current() const { return {start, start + marks.size()}; }
  void put(const std::vector<std::byte>& contents) const {
    std::copy(contents.begin(), contents.end(), start);
  }
};

/// Marks what is declared. False: some of it is in no Array, so that nothing can be said.
bool mark(std::vector<Block>& blocks, std::span<const runtime::MemoryUse> uses) {
  for (const runtime::MemoryUse& use : uses) {
    auto* first = static_cast<const std::byte*>(use.start);
    auto found = std::find_if(blocks.begin(), blocks.end(), [&](const Block& block) {
      return first >= block.start && first < block.start + block.marks.size();
    });
    if (found == blocks.end()) return false;
    const auto offset = static_cast<size_t>(first - found->start);
    const size_t end = std::min(found->marks.size(), offset + use.bytes);
    for (size_t i = offset; i < end; ++i)
      found->marks[i] |= Block::kDeclared | (use.written ? Block::kWritten : 0);
  }
  return true;
}

void compare(const Block& block, const std::string& name) {
  const std::vector<std::byte> now = block.current();
  size_t read = 0, written = 0;
  for (size_t i = 0; i < now.size(); ++i) {  // without branches: there are many bytes
    const bool may_write = (block.marks[i] & Block::kWritten) != 0;
    const bool changed = (now[i] != block.poisoned[i]) | (block.after[i] != block.before[i]);
    read += may_write & (now[i] != block.after[i]);
    written += (!may_write) & changed;
  }
  EXPECT_EQ(read, 0u) << name << " reads bytes that it has not declared";
  EXPECT_EQ(written, 0u) << name << " writes bytes that it has not declared";
}

void check(void* stream, runtime::Operation& operation) {
  const std::string name = last_name();
  int capturing = 0;
  if (call("cudaStreamIsCapturing", stream, &capturing) != 0 || capturing != 0) return;
  if (call("cudaStreamQuery", stream) != 0) return;  // waits for something, perhaps for the test
  const auto uses = operation.memory_uses();
  if (!uses) {
    unknown().insert(name);
    return;
  }
  // Large operands a few times for each function: it takes its time.
  constexpr size_t kLarge = size_t{1} << 20;
  constexpr int kOften = 3;
  size_t bytes_in_all = 0;
  for (auto& [memory, bytes] : live_arrays()) bytes_in_all += bytes;
  if (bytes_in_all > kLarge && compared()[name] >= kOften) return;
  std::vector<Block> blocks;
  for (auto& [memory, bytes] : live_arrays()) blocks.emplace_back(memory, bytes);
  if (!mark(blocks, *uses)) return;
  auto first = operation.clone(), second = operation.clone();
  const bool done = static_cast<bool>(first->execute());
  for (Block& block : blocks) {
    block.after = block.current();
    block.poisoned = block.before;
    for (size_t i = 0; i < block.marks.size(); ++i)
      block.poisoned[i] ^= static_cast<std::byte>(block.marks[i] == 0 ? 0xff : 0);
    block.put(block.poisoned);
  }
  if (done && second->execute()) {
    for (const Block& block : blocks) compare(block, name);
    ++compared()[name];
  }
  for (const Block& block : blocks) block.put(block.before);
}

/// Runs after all tests.
class OperandCoverage : public testing::Environment {
 public:
  void TearDown() override {
    if (!checking() || testing::GTEST_FLAG(filter) != "*") return;
    EXPECT_GT(compared().size(), 500u) << "functions whose operands were compared";
    // Only what follows pointers in memory may leave its operands open.
    for (const std::string& name : unknown()) {
      EXPECT_TRUE(name.find("Batched") != std::string::npos || name == "cublasLtMatmul" ||
                  name == "cublasLtMatrixTransform")
          << name << " declares everything";
    }
  }
};
[[maybe_unused]] auto* const coverage = testing::AddGlobalTestEnvironment(new OperandCoverage);

}  // namespace
}  // namespace guda::cublas::test

#define GUDA_INTERPOSED extern "C" __attribute__((visibility("default")))

GUDA_INTERPOSED bool guda_library_has_devices() {
  static const auto real = guda::cublas::test::of_libguda<bool (*)()>("guda_library_has_devices");
  return guda::cublas::test::checking() || real();
}

GUDA_INTERPOSED int guda_library_submit(void* stream, guda::runtime::Operation* operation,
                                        guda::library::Return when) {
  using Submit = int (*)(void*, guda::runtime::Operation*, guda::library::Return);
  static const auto real = guda::cublas::test::of_libguda<Submit>("guda_library_submit");
  if (guda::cublas::test::checking()) guda::cublas::test::check(stream, *operation);
  return real(stream, operation, when);
}
