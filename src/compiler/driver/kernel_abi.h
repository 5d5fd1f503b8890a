// Binary interface between compiled CPU kernels (ELF shared objects) and the CPU backend.
//
// Plain C layouts: generated code addresses the fields by offset, so every change bumps
// kAbiVersion (it is part of the cache key). A kernel object has no undefined symbols; whatever it
// needs from the runtime it calls through LaunchState::services. It exports one symbol,
// kKernelSymbol, of type KernelInfo.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guda::kernel {

inline constexpr uint32_t kAbiVersion = 3;
inline constexpr const char* kKernelSymbol = "guda_kernel";
/// run_warps results: the warps have finished; they stand at different places, see WarpProgress.
/// Every other result is the region to resume all of them at; region 0 is the kernel's entry.
inline constexpr uint32_t kWarpDone = 0xffffffffu;
inline constexpr uint32_t kWarpsApart = 0xfffffffeu;

struct Dim3 {
  uint32_t x, y, z;
};

struct Services;
struct BlockState;
struct ThreadState;

/// Constant during a launch; shared by all workers.
struct LaunchState {
  const std::byte* params;  // kernel parameters, laid out as PTX says; 64-byte aligned
  void* const* symbols;  // addresses of KernelInfo::symbols, same order
  const Services* services;
  Dim3 grid;  // %nctaid
  Dim3 block;  // %ntid
  Dim3 block_offset;  // added to the block index when a launch is sliced
  uint32_t dynamic_shared_bytes;
  uint32_t static_shared_bytes;
  uint64_t grid_id;
  void* owner;  // backend's own launch object
  uint32_t* grid_workspace;  // cooperative launches: {size, barrier}, both u32; else null.
  // %envreg1 is its address's upper half, %envreg2 the lower
};

/// One block being executed; owned by a worker.
struct BlockState {
  const LaunchState* launch;
  Dim3 index;  // %ctaid
  uint32_t worker;  // %smid
  std::byte* shared;  // base of the shared window, 128-byte aligned
  std::byte* local;  // local memory: KernelInfo::local_bytes per lane, see run_* below
  uint64_t barrier_wait;  // used by run_warps: (barrier id << 32) | thread count (0: all threads)
  uint32_t warp_scratch[128];  // one word per warp, for block-wide reductions at barriers (tier A)
  uint32_t workers;  // %nsmid
};

/// Where a warp of a kernel with barriers stands.
struct WarpProgress {
  uint32_t region;  // to resume at, or kWarpDone
  uint32_t released;  // for the caller's own use; run_warps writes 0
  uint64_t wait;  // (barrier id << 32) | thread count (0: all threads); 0 when done
};

/// One thread of a kernel compiled for tier C.
struct ThreadState {
  BlockState* block;
  const LaunchState* launch;
  Dim3 index;  // %tid
  uint32_t linear;  // x + y * ntid.x + z * ntid.x * ntid.y
  uint32_t lane;  // linear % 32
  uint32_t warp;  // linear / 32
  uint32_t reserved;
  std::byte* local;  // this thread's local memory
};

/// Cross-lane operations of tier C. `a`, `b`, `c` are the PTX operands (b: lane/offset, c: clamp and
/// segment mask), `mask` the member mask. The result's low 32 (or 64, match) bits are the value;
/// `*predicate` receives the predicate result where there is one.
enum class WarpOp : uint32_t {
  shfl_up,
  shfl_down,
  shfl_bfly,
  shfl_idx,
  vote_all,
  vote_any,
  vote_uni,
  vote_ballot,
  match_any,
  match_all,
  redux_add,
  redux_min_s32,
  redux_max_s32,
  redux_min_u32,
  redux_max_u32,
  redux_and,
  redux_or,
  redux_xor,
  sync,  // bar.warp.sync
  activemask,  // lanes known to be at this same point; at least the caller
  elect,
};

enum class BarrierOp : uint32_t { sync, arrive, red_popc, red_and, red_or };

/// Geometries of texture and surface instructions, as PTX names them.
enum class TexelGeometry : uint32_t { d1, d2, d3, a1d, a2d, cube, acube, d2ms, a2dms };

enum TextureFlags : uint32_t {
  kTextureIntegerCoordinates = 1u << 0,
  kTextureLevel = 1u << 1,  // a level of detail follows the coordinates
  kTextureGradient = 1u << 2,  // two gradient vectors follow the coordinates
  kTextureGather = 1u << 3,  // tld4, component in bits 12-13
  kTextureResultShift = 4,  // 0 f32, 1 u32, 2 s32, 3 f16x2
  kSurfaceStore = 1u << 8,
  kSurfaceClamp = 1u << 9,  // outside: the nearest element
  kSurfaceZero = 1u << 10,  // outside: reads 0, writes nothing; neither: a fault
  kTextureComponentShift = 12,
};

enum class TextureProperty : uint32_t {
  width,
  height,
  depth,
  channel_data_type,
  channel_order,
  array_size,
  num_mipmap_levels,
  num_samples,
  normalized_coords,
  of_surface = 1u << 8,  // added to one of the others: the handle is a surface's
};

/// Calls from kernels into the runtime. Those that take a ThreadState exist for tier C only.
struct Services {
  // Device printf: format and packed arguments as vprintf's PTX ABI. Returns the argument count.
  int32_t (*vprintf)(const BlockState*, const char* format, const void* arguments);
  // Does not return: unwinds the launch with cudaErrorAssert.
  void (*assert_fail)(const BlockState*, uint32_t tid_x, uint32_t tid_y, uint32_t tid_z,
                      const char* expression, const char* file, uint32_t line,
                      const char* function);
  // Does not return: unwinds the launch with the given CUDA error code (719 trap, 715 illegal
  // instruction, 716 misaligned address).
  void (*fault)(const BlockState*, uint32_t error);
  void* (*malloc)(const BlockState*, uint64_t bytes);
  void (*free)(const BlockState*, void* pointer);
  uint64_t (*globaltimer)();  // ns
  void (*nanosleep)(const BlockState*, uint32_t ns);
  // Tier C.
  uint32_t (*barrier)(ThreadState*, BarrierOp op, uint32_t id, uint32_t count, uint32_t predicate);
  uint64_t (*warp_op)(ThreadState*, WarpOp op, uint32_t mask, uint64_t a, uint32_t b, uint32_t c,
                      uint32_t* predicate);
  void (*yield)(ThreadState*);  // on back edges of loops that poll memory
  // Waits for all blocks of a cooperative grid is done through memory by the program itself; the
  // executor keeps every block resident and yields.
  // Texture fetch. `coordinates`: the layers, the coordinates, then level or gradients as the
  // instruction has them, one word each. `out` receives four words.
  void (*texture)(const BlockState*, TexelGeometry geometry, uint32_t flags, uint64_t texture,
                  const uint32_t* coordinates, uint32_t* out);
  // Tier C: ends the calling thread from inside a device function. Does not return.
  void (*exit_thread)(ThreadState*);
  // Surface load or store of `bytes` (1 to 16) at a byte offset in the first coordinate.
  void (*surface)(const BlockState*, TexelGeometry geometry, uint32_t flags, uint64_t surface,
                  const uint32_t* coordinates, uint32_t bytes, void* data);
  // txq and suq.
  uint32_t (*texture_query)(const BlockState*, TextureProperty property, uint64_t texture,
                            uint32_t level);
  // `texture` for the lanes in `mask`: word i of lane l stands at i * lanes + l; a handle per lane.
  void (*textures)(const BlockState*, TexelGeometry geometry, uint32_t flags, uint32_t lanes,
                   uint64_t mask, const uint64_t* textures, const uint32_t* coordinates,
                   uint32_t* out);
  void (*reserved[4])();
};

enum KernelFlags : uint32_t {
  kUsesBarrier = 1u << 0,  // needs all threads of a block alive together
  kUsesWarpOps = 1u << 1,  // cross-lane operations
  kPollsMemory = 1u << 2,  // has loops that wait for other threads
  kUsesPrintf = 1u << 3,
  kUsesAtomics = 1u << 4,
};

/// What the shared object exports. Exactly one of the run_ functions is set.
struct KernelInfo {
  uint32_t abi_version;
  uint32_t flags;  // KernelFlags
  uint32_t lanes;  // SIMD width of run_block / run_warps; 1 for run_thread
  uint32_t static_shared_bytes;
  uint32_t local_bytes;  // per thread; 16-byte multiple
  uint32_t frame_bytes;  // per warp, run_warps only; 64-byte multiple
  uint32_t param_bytes;
  uint32_t symbol_count;
  const char* name;  // mangled kernel name
  const char* const* symbols;  // module-scope .global / .const variables that the kernel uses
  const char* note;  // why a slower tier was chosen; null for tier A
  /// Tier A without barriers: runs the whole block BlockState::index. `local` must hold
  /// local_bytes * lanes (warps run one after the other and share it).
  void (*run_block)(const LaunchState*, BlockState*);
  /// Tier A with barriers: runs warps first <= w < end (`lanes` threads each) of the block, one after
  /// the other, from `region` to their next barriers, and notes in progress[w] where they stand.
  /// Returns kWarpsApart unless all stand at the same barrier, for all threads, or have all finished.
  /// frames + w * frame_bytes (64-byte aligned) is kept between calls; `local` must hold local_bytes
  /// for all threads (rounded up to whole warps).
  uint32_t (*run_warps)(const LaunchState*, BlockState*, std::byte* frames, WarpProgress* progress,
                        uint32_t region, uint32_t first, uint32_t end);
  /// Tier C: runs one thread from start to end, on a stack of its own when flags has kUsesBarrier,
  /// kUsesWarpOps or kPollsMemory.
  void (*run_thread)(ThreadState*);
  /// What the kernel does to memory: access::AccessSummary, serialized (driver/access_summary.h).
  const std::byte* access;
  uint64_t access_bytes;
};

}  // namespace guda::kernel
