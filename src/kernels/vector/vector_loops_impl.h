// What the vector kernels are made of: elements, factors, running sums, and loops over rows and columns. Part of
// vector_kernels_impl.h, whose rules hold here.

template <class T>
struct Element {
  using R = T;
  static constexpr bool complex = false;
  static constexpr int64_t reals = 1;
};
template <class T>
struct Element<std::complex<T>> {
  using R = T;
  static constexpr bool complex = true;
  static constexpr int64_t reals = 2;
};

template <class R>
typename Simd<R>::V broadcast(R value) {
  return value - typename Simd<R>::V{};  // + would turn -0 into 0, and cost an instruction
}

// (even, odd, even, odd, ...)
template <class R>
typename Simd<R>::V alternate(R even, R odd) {
  typename Simd<R>::V v{};
  for (int i = 0; i < Simd<R>::lanes; i += 2) {
    v[i] = even;
    v[i + 1] = odd;
  }
  return v;
}

template <class R>
typename Simd<R>::V absolute(typename Simd<R>::V v) {
  using S = Simd<R>;
  return (typename S::V)((typename S::I)v & S::kAbsoluteMask);
}

// A factor t of a vector: t x.
template <class T>
struct Factor {
  using R = typename Element<T>::R;
  using V = typename Simd<R>::V;
  V straight, crossed;

  Factor() = default;
  explicit Factor(const T* t) {
    const auto* parts = reinterpret_cast<const R*>(t);
    if constexpr (Element<T>::complex) {
      straight = broadcast<R>(parts[0]);
      crossed = alternate<R>(-parts[1], parts[1]);
    } else {
      straight = broadcast<R>(parts[0]);
    }
  }
  V times(V x) const {
    if constexpr (Element<T>::complex) return straight * x + crossed * Simd<R>::swap_pairs(x);
    return straight * x;
  }
  V add_to(V sum, V x) const {
    if constexpr (Element<T>::complex) {
      sum += straight * x;
      return sum + crossed * Simd<R>::swap_pairs(x);
    }
    return sum + straight * x;
  }
};

// A running sum of op(a) x: for complex elements the products of like and of unlike parts.
template <class T, bool complex = Element<T>::complex>
struct DotSum {
  using R = T;
  using S = Simd<R>;
  using V = typename S::V;
  V like{};

  void add(V a, V x, V) { like += a * x; }
  template <class Slope, class Mask>
  [[gnu::always_inline]] void keep(const Slope& slope, int v, Mask mask, const DotSum& fresh) {
    like = slope.keep(v, mask, fresh.like, like);
  }
  void add(const DotSum& other) { like += other.like; }
  void store(bool, T* result) const { *result = S::sum(like); }
};
template <class T>
struct DotSum<T, true> {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  V like{}, unlike{};

  void add(V a, V x, V x_swapped) {
    like += a * x;
    unlike += a * x_swapped;
  }
  template <class Slope, class Mask>
  [[gnu::always_inline]] void keep(const Slope& slope, int v, Mask mask, const DotSum& fresh) {
    like = slope.keep(v, mask, fresh.like, like);
    unlike = slope.keep(v, mask, fresh.unlike, unlike);
  }
  void add(const DotSum& other) {
    like += other.like;
    unlike += other.unlike;
  }
  void store(bool conjugate, T* result) const {
    auto* parts = reinterpret_cast<R*>(result);
    R straight[2], crossed[2];
    S::sum_pairs(like, straight);
    S::sum_pairs(unlike, crossed);
    parts[0] = conjugate ? straight[0] + straight[1] : straight[0] - straight[1];
    parts[1] = conjugate ? crossed[0] - crossed[1] : crossed[0] + crossed[1];
  }
};

// The results of several columns.
template <class T, int C>
void store_sums(const DotSum<T> (&sums)[C], bool conjugate, T* result) {
  if constexpr (!Element<T>::complex && C == 8) {
    typename DotSum<T>::V vectors[8];
#pragma GCC unroll 8
    for (int c = 0; c < 8; ++c) vectors[c] = sums[c].like;
    Simd<T>::sum_eight(vectors, result);
  } else if constexpr (!Element<T>::complex && C == 4) {
    typename DotSum<T>::V vectors[8] = {};
#pragma GCC unroll 8
    for (int c = 0; c < 4; ++c) vectors[c] = sums[c].like;
    T eight[8];
    Simd<T>::sum_eight(vectors, eight);
#pragma GCC unroll 8
    for (int c = 0; c < 4; ++c) result[c] = eight[c];
  } else {
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) sums[c].store(conjugate, result + c);
  }
}

template <class T>
typename Simd<typename Element<T>::R>::V swapped(typename Simd<typename Element<T>::R>::V x) {
  if constexpr (Element<T>::complex) return Simd<typename Element<T>::R>::swap_pairs(x);
  return x;
}

// How many columns a kernel takes at once, for the accumulators and factors that one column needs.
template <class T>
constexpr int kColumns = Element<T>::complex ? 4 : 8;
template <class T>
constexpr int kColumnsBoth =
    Simd<typename Element<T>::R>::registers < 32 ? (Element<T>::complex ? 2 : 4)
                                                 : (Element<T>::complex ? 4 : 8);

// Calls body(Width<columns>(), first column) for groups of at most `most` columns, larger groups first.
template <int most, class Body>
void for_column_groups(int64_t count, Body body) {
  int64_t c = 0;
  for (; c + most <= count; c += most) body(Width<most>(), c);
  if constexpr (most > 4) {
    if (c + 4 <= count) {
      body(Width<4>(), c);
      c += 4;
    }
  }
  if constexpr (most > 2) {
    if (c + 2 <= count) {
      body(Width<2>(), c);
      c += 2;
    }
  }
  for (; c < count; ++c) body(Width<1>(), c);
}

// Reals from p to the next whole vector in memory, which whole loads then do not straddle. 0 for short
// vectors, and where pairs would be torn.
template <class T>
int64_t lead_of(const void* p, int64_t reals) {
  using R = typename Element<T>::R;
  constexpr auto bytes = static_cast<uintptr_t>(sizeof(R)) * Simd<R>::lanes;
  const uintptr_t rest = reinterpret_cast<uintptr_t>(p) % bytes;
  if (rest == 0 || reals < 8 * Simd<R>::lanes || rest % sizeof(T) != 0) return 0;
  return static_cast<int64_t>((bytes - rest) / sizeof(R));
}

// Calls body(i, load, store) for each vector of n reals: a part of `lead` reals, whole vectors, and
// another part.
template <class R, class Body>
[[gnu::always_inline]] inline void for_vectors(int64_t n, int64_t lead, Body body) {
  using S = Simd<R>;
  using V = typename S::V;
  const auto part = [&](int64_t i, int64_t count) __attribute__((always_inline)) {
    body(
        i, [count](const R* p) __attribute__((always_inline)) { return S::load(p, count); },
        [count](R* p, V v) __attribute__((always_inline)) { S::store(p, v, count); });
  };
  if (lead > 0) part(0, lead);
  int64_t i = lead;
  for (; i + S::lanes <= n; i += S::lanes) {
    body(
        i, [](const R* p) __attribute__((always_inline)) { return S::load(p); },
        [](R* p, V v) __attribute__((always_inline)) { S::store(p, v); });
  }
  if (i < n) part(i, n - i);
}

// Calls body(i, access) for each vector of m rows, where `access` loads and stores vectors. Those of the
// rows at `aligned` are whole cache lines, if there are many.
template <class T, class Body>
[[gnu::always_inline]] inline void for_rows(int64_t m, const void* aligned, Body body) {
  using R = typename Element<T>::R;
  using S = Simd<R>;
  using V = typename S::V;
  struct Whole {
    [[gnu::always_inline]] static V load(const R* p) { return S::load(p); }
    [[gnu::always_inline]] static void store(R* p, V v) { S::store(p, v); }
  };
  struct Part {
    int64_t count;
    [[gnu::always_inline]] V load(const R* p) const { return S::load(p, count); }
    [[gnu::always_inline]] void store(R* p, V v) const { S::store(p, v, count); }
  };
  const int64_t n = m * Element<T>::reals;
  int64_t i = lead_of<T>(aligned, n);
  if (i > 0) body(int64_t{0}, Part{i});
  for (; i + S::lanes <= n; i += S::lanes) body(i, Whole());
  if (i < n) body(i, Part{n - i});
}

// A slanted group of columns: rows [top, bottom), which all have, between those of two triangles, [0, top)
// and [bottom, m), of which column c has the rows from first(c), and those before last(c).
struct SlantedRows {
  Slant slant;
  int64_t m, top, bottom;

  SlantedRows(Slant the_slant, int64_t the_m, int64_t count)
      : slant(the_slant),
        m(the_m),
        top(slant.top * (count - 1) + slant.skip_top),
        bottom(m - slant.bottom * (count - 1) - slant.skip_bottom) {
    bottom_of_first_ = bottom;
    // The row of a triangle that all columns have belongs to it, too: groups of as many columns as a vector
    // has elements then divide vectors of rows alike.
    if (slant.top && slant.skip_top == 0 && top < bottom) ++top;
    if (slant.bottom && slant.skip_bottom == 0 && top < bottom) --bottom;
  }
  int64_t first(int64_t c) const { return slant.top * c + slant.skip_top; }
  int64_t last(int64_t c) const { return bottom_of_first_ + slant.bottom * c; }

 private:
  int64_t bottom_of_first_;
};
