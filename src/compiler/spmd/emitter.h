// Writes the SIMD form of a kernel into a new function, block by block along a LinearPlan.
//
// A device value of type T becomes: a scalar T where it is uniform; else <W x T> (a <k x T> becomes
// <k*W x T>, lane after lane), and where it is affine also the scalar value of lane 0, its base.
// Values that cross blocks live in stack slots until the end, when mem2reg turns them into SSA.
#pragma once

#include <llvm/ADT/DenseMap.h>
#include <llvm/ADT/SmallPtrSet.h>
#include <llvm/IR/IRBuilder.h>

#include <optional>
#include <string>

#include "compiler/spmd/block_plan.h"
#include "compiler/spmd/lane_shape.h"
#include "compiler/spmd/warp_layout.h"
#include "support/status.h"

namespace guda {
struct TextureInstruction;
}

namespace guda::spmd {

struct EmitContext {
  llvm::Function* kernel = nullptr;  // device IR
  const LaneShapes* shapes = nullptr;
  const LinearPlan* plan = nullptr;
  const llvm::LoopInfo* loops = nullptr;  // of the kernel
  WarpLayout layout;
  uint32_t local_bytes = 0;
  bool per_warp_local = false;  // every warp has local memory of its own (kernels with barriers)
};

class Emitter {
 public:
  /// `out` is an empty function; launch, block (pointers) and warp (i32) are values of it.
  Emitter(const EmitContext& context, llvm::Function& out, llvm::Value* launch, llvm::Value* block,
          llvm::Value* warp, llvm::Value* mask, llvm::Value* return_value);

  Status run();

 private:
  using Value = llvm::Value;
  using Instruction = llvm::Instruction;

  // emit_control.cpp
  void emit_prologue();
  void emit_block(const BlockPlan& plan);
  void emit_terminator(const BlockPlan& plan, Value* mask);
  void emit_edge(const llvm::BasicBlock& from, llvm::BasicBlock& to, Value* edge_mask,
                 bool never_empty);
  void write_phis();
  void define(const Instruction& instruction, Value* uniform, Value* vector, Value* base);
  llvm::AllocaInst* slot(llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*>& slots,
                         const llvm::Value* key, llvm::Type* type, const char* name);

  // Values at the current point of emission.
  Value* uniform(const llvm::Value* value);
  Value* vector(const llvm::Value* value);
  Value* base(const llvm::Value* value);  // scalar value of lane 0 of a uniform or affine value
  bool is_uniform(const llvm::Value* value) const { return shapes_.is_uniform(value); }
  const Affine* affine(const llvm::Value* value) const { return shapes_.affine(value); }
  /// i1: none of the affine value's extensions wraps between lanes; null when nothing to test.
  Value* wrap_test(const Affine& shape);
  /// Vector form of an affine value, made from scalars.
  Value* expand_affine(const llvm::Value* value, const Affine& shape);
  Value* emit_extension(const Instruction& extension, Value* source, llvm::Type* type);

  llvm::Type* widen(llvm::Type* type) const;
  Value* splat(Value* scalar);
  /// Puts a vector in memory, for loops that take it apart lane by lane.
  llvm::AllocaInst* spill(Value* vector);
  Value* lane_numbers(llvm::Type* scalar_type, int64_t stride);
  Value* any(Value* mask);
  Value* mask_bits(Value* mask);  // integer of W bits
  /// The current mask with each lane repeated `count` times.
  Value* repeat_mask(Value* mask, unsigned count);
  Value* logical_and(Value* mask, Value* condition);
  /// Lanes of `mask` from `value`, the others from `other`.
  Value* blend_lanes(Value* mask, Value* value, Value* other, llvm::Type* device_type);

  // emit_prefetch.cpp
  std::optional<Value*> block_step(const llvm::Value* value, unsigned depth);
  void find_complete_blocks();
  void prefetch_next_block(const Instruction& access, const llvm::Value* pointer, uint64_t bytes,
                           bool write);

  // emit_values.cpp
  Status emit_instruction(const Instruction& instruction);
  Status emit_lane_wise(const Instruction& instruction);
  Status emit_call(const llvm::CallBase& call);
  Status emit_serial_loop(const llvm::CallBase& call);
  Status emit_intrinsic(const llvm::IntrinsicInst& call);
  Status emit_special_register(llvm::StringRef name, const llvm::CallBase& call);
  void make_thread_indices();
  Value* affine_base(const Instruction& instruction);
  Value* emit_vector_element(const Instruction& instruction);
  /// Runs `body(lane)` for each active lane in ascending order.
  void for_each_lane(Value* mask, llvm::function_ref<void(Value* lane)> body);
  Value* scalar_load_field(Value* object, uint64_t offset, llvm::Type* type, bool invariant);

  // emit_memory.cpp
  Status emit_load(const llvm::LoadInst& load);
  Status emit_store(const llvm::StoreInst& store);
  Status emit_atomic(const Instruction& instruction);
  Value* gather(const Instruction& access, const llvm::Value* pointer, llvm::Type* type,
                llvm::Align alignment, Value* mask);
  void scatter(Value* value, const llvm::Value* pointer, llvm::Type* type, llvm::Align alignment,
               Value* mask);
  Value* vector_address(const llvm::Value* pointer);
  /// A pointer that may be dereferenced: the address itself, or a dummy when no lane is active.
  Value* safe_address(Value* pointer);
  /// The load's value, read where the function begins, if it reads a fixed place in the parameters; else
  /// null.
  Value* early_parameter(const llvm::LoadInst& load);

  // emit_alignment.cpp
  Status emit_alignment_check(const llvm::CallBase& call);
  /// The bits are the same in all lanes.
  bool agrees_on_low_bits(const llvm::Value* residue, uint64_t low_bits) const;
  llvm::BasicBlock* misaligned_block();

  // emit_warp_ops.cpp
  Status emit_warp_operation(llvm::StringRef name, const llvm::CallBase& call);
  Value* permute(Value* values, Value* indices);
  Status emit_shuffle(llvm::StringRef mode, const llvm::CallBase& call);
  Status emit_match(llvm::StringRef name, const llvm::CallBase& call);
  Status emit_barrier(llvm::StringRef name, const llvm::CallBase& call);
  Status emit_system_call(llvm::StringRef name, const llvm::CallBase& call);

  // emit_textures.cpp
  Status emit_texture(llvm::StringRef name, const llvm::CallBase& call);
  void emit_warp_fetch(const TextureInstruction& instruction, const llvm::CallBase& call);

  const EmitContext& context_;
  const LaneShapes& shapes_;
  const LinearPlan& plan_;
  const unsigned lanes_;
  llvm::Function& out_;
  llvm::Module& module_;
  const llvm::DataLayout& layout_;
  Value* launch_;
  Value* block_;
  Value* warp_;
  Value* entry_mask_;
  Value* return_value_;
  Value* params_ = nullptr;
  llvm::IRBuilder<> builder_;
  llvm::BasicBlock* entry_ = nullptr;
  llvm::BasicBlock* misaligned_ = nullptr;  // where all alignment checks that fail go
  Value* pending_low_bits_ = nullptr;  // of checks that the next one tests as well

  llvm::DenseMap<const llvm::BasicBlock*, llvm::BasicBlock*> blocks_;
  llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*> uniform_slots_, vector_slots_, base_slots_;
  llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*> phi_uniform_, phi_vector_, phi_base_;
  llvm::DenseMap<const llvm::Value*, llvm::AllocaInst*> mask_pending_, mask_slots_;
  // Loads of slots and definitions that dominate the current point; cleared at each block.
  llvm::DenseMap<const llvm::Value*, Value*> uniform_here_, vector_here_, base_here_;

  const BlockPlan* current_ = nullptr;
  llvm::SmallPtrSet<const llvm::BasicBlock*, 16> lanes_complete_;
  Value* mask_ = nullptr;  // of the current block
  Value* first_thread_ = nullptr;  // linear thread index of lane 0, i32
  Value* dummy_ = nullptr;
  Value* tid_vector_[3] = {};
  Value* tid_base_[3] = {};
};

}  // namespace guda::spmd
