#include "compiler/target/lane_builder.h"

#include <llvm/IR/Constants.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/Target/TargetMachine.h>

#include <bit>
#include <numeric>

#include "compiler/target/target.h"

namespace guda::target {

using llvm::Value;

CpuFeatures cpu_features(const llvm::TargetMachine& machine) {
  const llvm::MCSubtargetInfo& subtarget = *machine.getMCSubtargetInfo();
  CpuFeatures features;
  features.avx512 = vector_bits(machine) == 512;
  features.vnni = features.avx512 && subtarget.checkFeatures("+avx512vnni");
  features.fp16 = features.avx512 && subtarget.checkFeatures("+avx512fp16");
  return features;
}

llvm::Type* LaneBuilder::shaped(llvm::Type* element) const {
  return lanes_ == 0 ? element : llvm::FixedVectorType::get(element, lanes_);
}

llvm::Type* LaneBuilder::bits_type(Value* value) {
  llvm::Type* element = getIntNTy(value->getType()->getScalarSizeInBits());
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(value->getType()))
    return llvm::FixedVectorType::get(element, vector->getNumElements());
  return element;
}

Value* LaneBuilder::f32_constant(float value) {
  return llvm::ConstantFP::get(f32(), llvm::APFloat(value));
}

Value* LaneBuilder::f64_constant(double value) {
  return llvm::ConstantFP::get(f64(), llvm::APFloat(value));
}

Value* LaneBuilder::number(Value* like, double value) {
  llvm::Type* type = like->getType();
  if (type->isIntOrIntVectorTy())
    return llvm::ConstantInt::get(type, static_cast<uint64_t>(static_cast<int64_t>(value)), true);
  return llvm::ConstantFP::get(type, value);
}

Value* LaneBuilder::integer(llvm::Type* type, uint64_t value) {
  return llvm::ConstantInt::get(
      type, llvm::APInt(type->getScalarSizeInBits(), value, false, /*implicitTrunc=*/true));
}

Value* LaneBuilder::fma(Value* a, Value* b, Value* c) {
  return CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

Value* LaneBuilder::polynomial(Value* v, llvm::ArrayRef<double> coefficients) {
  Value* result = number(v, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = fma(result, v, number(v, coefficient));
  return result;
}

Value* LaneBuilder::in_pieces(unsigned width, llvm::ArrayRef<Value*> values, Native operation) {
  if (lanes_ == 0) {
    llvm::SmallVector<Value*> vectors;
    for (Value* value : values) {
      auto* type = llvm::FixedVectorType::get(value->getType(), width);
      vectors.push_back(CreateInsertElement(llvm::PoisonValue::get(type), value, uint64_t{0}));
    }
    return CreateExtractElement(operation(vectors), uint64_t{0});
  }
  if (lanes_ == width) return operation(values);

  llvm::SmallVector<Value*> results;
  for (unsigned first = 0; first < lanes_; first += width) {
    llvm::SmallVector<int> mask(width, -1);
    for (unsigned i = 0; i < width && first + i < lanes_; ++i)
      mask[i] = static_cast<int>(first + i);
    llvm::SmallVector<Value*> pieces;
    for (Value* value : values) pieces.push_back(CreateShuffleVector(value, mask));
    results.push_back(operation(pieces));
  }
  // Concatenate pairwise, then cut the padding off.
  const size_t padded = std::bit_ceil(results.size());
  while (results.size() < padded)
    results.push_back(llvm::PoisonValue::get(results.front()->getType()));
  unsigned have = width;
  while (results.size() > 1) {
    llvm::SmallVector<int> mask(have * 2);
    std::iota(mask.begin(), mask.end(), 0);
    llvm::SmallVector<Value*> joined;
    for (size_t i = 0; i < results.size(); i += 2)
      joined.push_back(CreateShuffleVector(results[i], results[i + 1], mask));
    results = std::move(joined);
    have *= 2;
  }
  if (have == lanes_) return results.front();
  llvm::SmallVector<int> mask(lanes_);
  std::iota(mask.begin(), mask.end(), 0);
  return CreateShuffleVector(results.front(), mask);
}

}  // namespace guda::target
