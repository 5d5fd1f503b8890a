// Masked accesses: lanes that are off touch no memory.
#include <llvm/IR/Constants.h>

#include "compiler/target/lane_builder.h"
#include "compiler/target/lane_test.h"

namespace guda::target::testing {
namespace {

constexpr size_t kCount = 32 * 64;

/// Addresses as i64; 0, which must not be touched, where the mask is off.
template <typename T>
void check_gather(Element element) {
  const std::vector<T> table = interesting_integers<T>(512, 61);
  std::mt19937_64 random(62);
  std::vector<uint64_t> address(kCount);
  std::vector<T> expected(kCount);
  for (size_t i = 0; i < kCount; ++i) {
    const size_t index = random() % table.size();
    const bool on = random() % 3 != 0;
    address[i] = on ? reinterpret_cast<uint64_t>(&table[index]) : 0;
    expected[i] = on ? table[index] : T(7);
  }
  Operation operation{"gather", element, {Element::i64}};
  operation.build = [](LaneBuilder& b, std::vector<llvm::Value*> v) -> llvm::Value* {
    llvm::Type* type = b.shaped(b.getIntNTy(sizeof(T) * 8));
    llvm::Value* seven = llvm::ConstantInt::get(type, 7);
    llvm::Value* mask = b.CreateICmpNE(v[0], b.number(v[0], 0));
    if (b.lanes() == 0) {  // no scalar form: read the table through a select
      llvm::Value* slot = b.CreateAlloca(type);
      b.CreateStore(seven, slot);
      llvm::Value* pointer = b.CreateIntToPtr(v[0], slot->getType());
      return b.CreateLoad(type, b.CreateSelect(mask, pointer, slot));
    }
    llvm::Value* pointers = b.CreateIntToPtr(v[0], b.shaped(b.getPtrTy()));
    return b.CreateMaskedGather(type, pointers, llvm::Align(sizeof(T)), mask, seven);
  };
  expect_lanes<T>(operation, {pack(address)}, kCount, [&](size_t i) { return expected[i]; });
}

/// Each lane writes its value where its address says, and the old element is the result.
template <typename T>
void check_scatter(Element element) {
  std::vector<T> table(kCount);
  std::vector<uint64_t> address(kCount);
  std::mt19937_64 random(63);
  for (size_t i = 0; i < kCount; ++i)
    address[i] = random() % 3 ? reinterpret_cast<uint64_t>(&table[i ^ 5]) : 0;
  const std::vector<T> values = interesting_integers<T>(kCount, 64);
  Operation operation{"scatter", element, {Element::i64, element}};
  operation.build = [](LaneBuilder& b, std::vector<llvm::Value*> v) -> llvm::Value* {
    if (b.lanes() == 0) return v[1];
    llvm::Value* mask = b.CreateICmpNE(v[0], b.number(v[0], 0));
    b.CreateMaskedScatter(v[1], b.CreateIntToPtr(v[0], b.shaped(b.getPtrTy())),
                          llvm::Align(sizeof(T)), mask);
    return v[1];
  };
  run_everywhere(operation, {pack(address), pack(values)}, kCount);
  for (size_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(table[i ^ 5], address[i] ? values[i] : T(0)) << i;
  }
}

}  // namespace

TEST(LaneMemory, GathersReadOnlyActiveLanes) {
  check_gather<uint8_t>(Element::i8);
  check_gather<uint16_t>(Element::i16);
  check_gather<uint32_t>(Element::i32);
  check_gather<uint64_t>(Element::i64);
}

TEST(LaneMemory, ScattersWriteOnlyActiveLanes) {
  check_scatter<uint8_t>(Element::i8);
  check_scatter<uint16_t>(Element::i16);
  check_scatter<uint32_t>(Element::i32);
  check_scatter<uint64_t>(Element::i64);
}

TEST(LaneMemory, MaskedContiguousAccessesOfSmallElements) {
  // Loads from the second operand's own lane through memory: 0 where the first is negative.
  const std::vector<uint16_t> x = interesting_integers<uint16_t>(kCount, 65);
  Operation operation{"masked", Element::i16, {Element::i16}};
  operation.build = [](LaneBuilder& b, std::vector<llvm::Value*> v) -> llvm::Value* {
    llvm::Value* on = b.CreateICmpSGE(v[0], b.number(v[0], 0));
    if (b.lanes() == 0) return b.CreateSelect(on, v[0], b.number(v[0], 0));
    llvm::Type* half = b.shaped(b.getHalfTy());
    llvm::Value* memory = b.CreateAlloca(half);
    b.CreateAlignedStore(llvm::Constant::getNullValue(half), memory, llvm::Align(2));
    b.CreateMaskedStore(b.CreateBitCast(v[0], half), memory, llvm::Align(2), on);
    llvm::Value* loaded =
        b.CreateMaskedLoad(half, memory, llvm::Align(2), on, llvm::Constant::getNullValue(half));
    return b.CreateBitCast(loaded, v[0]->getType());
  };
  expect_lanes<uint16_t>(operation, {pack(x)}, kCount, [&](size_t i) {
    return static_cast<int16_t>(x[i]) >= 0 ? x[i] : uint16_t{0};
  });
}

}  // namespace guda::target::testing
