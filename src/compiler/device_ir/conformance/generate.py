#!/usr/bin/env python3
"""Generates one kernel per PTX instruction variant, with inputs, and packs what a GPU computes.

  generate.py kernels DIR             writes DIR/tests.ptx, DIR/inputs.bin, DIR/tests.tsv
  run_on_gpu tests DIR/tests.cubin DIR/inputs.bin DIR/outputs.bin     (on a machine with a GPU)
  generate.py pack DIR vectors.bin    writes the file conformance_test reads; compress with zstd -19

Only what the ISA defines exactly is here. Every kernel reads four 64-bit words per thread, narrows them
to the operand types, executes the instruction and writes one 64-bit word.
"""
import itertools
import random
import struct
import sys

SAMPLES = 24
INTEGERS = ['u16', 'u32', 'u64', 's16', 's32', 's64']
INTEGERS8 = ['u8', 's8'] + INTEGERS
FLOAT_COMPARISONS = 'eq ne lt le gt ge equ neu ltu leu gtu geu num nan'.split()
ROUNDINGS = ['rn', 'rz', 'rm', 'rp']
FIELDS = [(0, 0), (0, 8), (8, 8), (24, 16), (31, 1)]

tests = []  # (instruction, result type, operand types, mode)


def add(instruction, result, *operands, mode=''):
    if all(instruction != known[0] for known in tests):
        tests.append((instruction, result, operands, mode))


def integer_arithmetic():
    for t in INTEGERS:
        bits = int(t[1:])
        for op in ['add', 'sub', 'mul.lo', 'mul.hi', 'min', 'max']:
            add(f'{op}.{t} d,a,b;', t, t, t)
        for op in ['mad.lo', 'mad.hi', 'sad']:
            add(f'{op}.{t} d,a,b,c;', t, t, t, t)
        if bits != 64:
            wide = f'{t[0]}{2 * bits}'
            add(f'mul.wide.{t} d,a,b;', wide, t, t)
            add(f'mad.wide.{t} d,a,b,c;', wide, t, t, wide)
        for op in ['div', 'rem']:
            add(f'{op}.{t} d,a,b;', t, t, t, mode='divides')
            for k in [1, 2, 3, 7, 10, 16, 641, 255]:
                add(f'{op}.{t} d,a,{k};', t, t)
        if t[0] == 's':
            add(f'abs.{t} d,a;', t, t)
            add(f'neg.{t} d,a;', t, t)
        for c in 'eq ne lt le gt ge'.split():
            add(f'setp.{c}.{t} d,a,b;', 'pred', t, t)
        add(f'set.lt.u32.{t} d,a,b;', 'u32', t, t)
        add(f'set.ge.f32.{t} d,a,b;', 'f32', t, t)
        add(f'slct.{t}.s32 d,a,b,c;', t, t, t, 's32')
        add(f'slct.{t}.f32 d,a,b,c;', t, t, t, 'f32')
    for t in ['u16', 'u32', 'u64']:
        for c in 'lo ls hi hs'.split():
            add(f'setp.{c}.{t} d,a,b;', 'pred', t, t)
    add('setp.lt.and.s32 d,a,b,c;', 'pred', 's32', 's32', 'pred')
    add('setp.lt.or.s32 d,a,b,!c;', 'pred', 's32', 's32', 'pred')
    add('setp.lt.xor.u32 d,a,b,c;', 'pred', 'u32', 'u32', 'pred')
    add('{.reg .pred q; setp.lt.and.s32 q|d,a,b,c;}', 'pred', 's32', 's32', 'pred')
    add('add.sat.s32 d,a,b;', 's32', 's32', 's32')
    add('sub.sat.s32 d,a,b;', 's32', 's32', 's32')
    add('mad.hi.sat.s32 d,a,b,c;', 's32', 's32', 's32', 's32')
    for t in ['u32', 's32']:
        for half in ['lo', 'hi']:
            add(f'mul24.{half}.{t} d,a,b;', t, t, t)
            add(f'mad24.{half}.{t} d,a,b,c;', t, t, t, t)
    add('mad24.hi.sat.s32 d,a,b,c;', 's32', 's32', 's32', 's32')
    for op in ['min', 'max']:
        add(f'{op}.relu.s32 d,a,b;', 's32', 's32', 's32')
    for t, op in itertools.product(['u16x2', 's16x2'], ['add', 'min', 'max']):
        add(f'{op}.{t} d,a,b;', 'b32', 'b32', 'b32')
    for t in ['u32', 'u64']:
        register = f'.reg .b{t[1:]} x;'
        for op in ['add', 'sub']:
            add(f'{{{register} {op}.cc.{t} x,a,b; {op}c.{t} d,c,0;}}', t, t, t, t)
            add(f'{{{register} {op}.cc.{t} x,a,b; {op}c.cc.{t} x,c,b; {op}c.{t} d,a,c;}}', t, t, t, t)
        for half in ['lo', 'hi']:
            add(f'{{{register} mad.{half}.cc.{t} x,a,b,c; addc.{t} d,0,0;}}', t, t, t, t)
            add(f'{{{register} add.cc.{t} x,a,b; madc.{half}.cc.{t} x,a,b,c; '
                f'madc.{half}.{t} d,x,b,c;}}', t, t, t, t)
    for x, y in itertools.product(['u32', 's32'], repeat=2):
        result = 'u32' if x == y == 'u32' else 's32'
        for op in ['dp4a', 'dp2a.lo', 'dp2a.hi']:
            add(f'{op}.{x}.{y} d,a,b,c;', result, x, y, result)


def bits():
    for t in ['b16', 'b32', 'b64']:
        for op in ['and', 'or', 'xor']:
            add(f'{op}.{t} d,a,b;', t, t, t)
        add(f'not.{t} d,a;', t, t)
        add(f'cnot.{t} d,a;', t, t)
        add(f'selp.{t} d,a,b,c;', t, t, t, 'pred')
        add(f'shl.{t} d,a,b;', t, t, 'shift')
        for k in [0, 1, 15, 16, 31, 32, 63, 64, 300]:
            add(f'shl.{t} d,a,{k};', t, t)
    for t in INTEGERS:
        add(f'shr.{t} d,a,b;', t, t, 'shift')
        for k in [0, 1, 15, 31, 32, 63, 64, 100]:
            add(f'shr.{t} d,a,{k};', t, t)
    for op in ['and', 'or', 'xor']:
        add(f'{op}.pred d,a,b;', 'pred', 'pred', 'pred')
    add('not.pred d,a;', 'pred', 'pred')
    for table in range(0, 256, 3):
        add(f'lop3.b32 d,a,b,c,{table};', 'b32', 'b32', 'b32', 'b32')
    add('{.reg .b32 x; lop3.or.b32 x|d,a,b,a,0xc0,c;}', 'pred', 'b32', 'b32', 'pred')
    for side, mode in itertools.product('lr', ['wrap', 'clamp']):
        add(f'shf.{side}.{mode}.b32 d,a,b,c;', 'b32', 'b32', 'b32', 'shift')
        for k in [0, 5, 31, 32, 33, 64]:
            add(f'shf.{side}.{mode}.b32 d,a,b,{k};', 'b32', 'b32', 'b32')
    for t in ['b32', 'b64']:
        add(f'popc.{t} d,a;', 'u32', t)
        add(f'clz.{t} d,a;', 'u32', t)
        add(f'brev.{t} d,a;', t, t)
        add(f'bfi.{t} d,a,b,c,e;', t, t, t, 'field', 'field')
        for position, length in FIELDS:
            add(f'bfi.{t} d,a,b,{position},{length};', t, t, t)
    for t in ['u32', 's32', 'u64', 's64']:
        add(f'bfind.{t} d,a;', 'u32', t)
        add(f'bfind.shiftamt.{t} d,a;', 'u32', t)
        add(f'bfe.{t} d,a,b,c;', t, t, 'field', 'field')
        for position, length in FIELDS:
            add(f'bfe.{t} d,a,{position},{length};', t, t)
    add('fns.b32 d,a,b,c;', 'b32', 'b32', 'lane', 'offset')
    for mode in ['clamp', 'wrap']:
        add(f'bmsk.{mode}.b32 d,a,b;', 'b32', 'shift', 'shift')
        for t in ['u32', 's32']:
            add(f'szext.{mode}.{t} d,a,b;', t, t, 'shift')
    add('prmt.b32 d,a,b,c;', 'b32', 'b32', 'b32', 'b32')
    for selector in [0x3210, 0x5410, 0x7632, 0x0123, 0x7654, 0x6543, 0x4321, 0, 0x3333, 0x1054,
                     0x9999, 0xba98, 0x3321, 0x4440, 0x7771, 0x40, 0x6240]:
        add(f'prmt.b32 d,a,b,{selector};', 'b32', 'b32', 'b32')
    for mode in 'f4e b4e rc8 ecl ecr rc16'.split():
        add(f'prmt.b32.{mode} d,a,b,c;', 'b32', 'b32', 'b32', 'b32')


def floats():
    for t in ['f32', 'f64']:
        for z in [''] if t == 'f64' else ['', '.ftz']:
            for r in ROUNDINGS:
                for s in [''] if t == 'f64' else ['', '.sat']:
                    for op in ['add', 'sub', 'mul']:
                        add(f'{op}.{r}{z}{s}.{t} d,a,b;', t, t, t)
                    add(f'fma.{r}{z}{s}.{t} d,a,b,c;', t, t, t, t)
                add(f'div.{r}{z}.{t} d,a,b;', t, t, t)
                add(f'rcp.{r}{z}.{t} d,a;', t, t)
                add(f'sqrt.{r}{z}.{t} d,a;', t, t)
            for op in ['min', 'max']:
                add(f'{op}{z}.{t} d,a,b;', t, t, t)
            for op in ['abs', 'neg']:
                add(f'{op}{z}.{t} d,a;', t, t)
            for c in FLOAT_COMPARISONS:
                add(f'setp.{c}{z}.{t} d,a,b;', 'pred', t, t)
            add(f'set.gt{z}.u32.{t} d,a,b;', 'u32', t, t)
            add(f'set.leu{z}.f32.{t} d,a,b;', 'f32', t, t)
        add(f'copysign.{t} d,a,b;', t, t, t)
        for p in 'finite infinite number notanumber normal subnormal'.split():
            add(f'testp.{p}.{t} d,a;', 'pred', t)
    for z, op in itertools.product(['', '.ftz'], ['min', 'max']):
        for m in ['.NaN', '.xorsign.abs', '.NaN.xorsign.abs']:
            add(f'{op}{z}{m}.f32 d,a,b;', 'f32', 'f32', 'f32')


def half_floats():
    for t in ['f16', 'f16x2', 'bf16', 'bf16x2']:
        is_half = t.startswith('f16')
        for z in ['', '.ftz'] if is_half else ['']:
            for s in ['', '.sat'] if is_half else ['']:
                for op in ['add', 'sub', 'mul']:
                    add(f'{op}{z}{s}.{t} d,a,b;', t, t, t)
                add(f'fma.rn{z}{s}.{t} d,a,b,c;', t, t, t, t)
            add(f'fma.rn{z}.relu.{t} d,a,b,c;', t, t, t, t)
            for op, m in itertools.product(['min', 'max'], ['', '.NaN', '.xorsign.abs']):
                add(f'{op}{z}{m}.{t} d,a,b;', t, t, t)
            for op in ['neg', 'abs']:
                add(f'{op}{z}.{t} d,a;', t, t)
            for c in FLOAT_COMPARISONS:
                if t.endswith('x2'):
                    add(f'{{.reg .pred q; setp.{c}{z}.{t} d|q,a,b;}}', 'pred', t, t)
                    add(f'{{.reg .pred q; setp.{c}{z}.{t} q|d,a,b;}}', 'pred', t, t)
                else:
                    add(f'setp.{c}{z}.{t} d,a,b;', 'pred', t, t)
                    add(f'set.{c}{z}.u16.{t} d,a,b;', 'u16', t, t)
                add(f'set.{c}{z}.{t}.{t} d,a,b;', t, t, t)
                add(f'set.{c}{z}.u32.{t} d,a,b;', 'u32', t, t)


def conversions():
    for x, y in itertools.product(INTEGERS8, repeat=2):
        add(f'cvt.{x}.{y} d,a;', x, y)
        narrows = int(x[1:]) < int(y[1:]) or (x[0] == 'u') != (y[0] == 'u') and x[0] == 'u'
        if narrows or (x[1:] == y[1:] and x != y):
            add(f'cvt.sat.{x}.{y} d,a;', x, y)
    for f, y in itertools.product(['f16', 'f32', 'f64'], INTEGERS8):
        for r in ROUNDINGS:
            add(f'cvt.{r}.{f}.{y} d,a;', f, y)
        for r in ['rni', 'rzi', 'rmi', 'rpi']:
            add(f'cvt.{r}.{y}.{f} d,a;', y, f)
            if f == 'f32':
                add(f'cvt.{r}.ftz.{y}.{f} d,a;', y, f)
    for f, r in itertools.product(['f16', 'f32', 'f64'], ['rni', 'rzi', 'rmi', 'rpi']):
        add(f'cvt.{r}.{f}.{f} d,a;', f, f)
    for y in ['u16', 'u32', 's16', 's32', 's64']:
        add(f'cvt.rn.bf16.{y} d,a;', 'bf16', y)
        add(f'cvt.rzi.{y}.bf16 d,a;', y, 'bf16')
    for to, source in [('f64', 'f32'), ('f32', 'f16'), ('f64', 'f16'), ('f32', 'bf16')]:
        add(f'cvt.{to}.{source} d,a;', to, source)
    for m in ['sat', 'ftz', 'ftz.sat']:
        add(f'cvt.{m}.f32.f32 d,a;', 'f32', 'f32')
    add('cvt.ftz.f64.f32 d,a;', 'f64', 'f32')
    add('cvt.ftz.f32.f16 d,a;', 'f32', 'f16')
    add('cvt.rn.ftz.f16.f32 d,a;', 'f16', 'f32')
    for r in ROUNDINGS:
        for z in ['', '.ftz', '.sat']:
            add(f'cvt.{r}{z}.f32.f64 d,a;', 'f32', 'f64')
        add(f'cvt.{r}.f16.f64 d,a;', 'f16', 'f64')
        add(f'cvt.{r}.f16.f32 d,a;', 'f16', 'f32')
    for r, m in itertools.product(['rn', 'rz'], ['', '.relu']):
        add(f'cvt.{r}{m}.bf16.f32 d,a;', 'bf16', 'f32')
        for p in ['f16x2', 'bf16x2']:
            add(f'cvt.{r}{m}.{p}.f32 d,a,b;', p, 'f32', 'f32')
    add('cvt.rn.bf16.f16 d,a;', 'bf16', 'f16')
    add('cvt.rn.f16.bf16 d,a;', 'f16', 'bf16')
    for m in ['rna', 'rn', 'rz', 'rn.relu']:
        add(f'cvt.{m}.tf32.f32 d,a;', 'tf32', 'f32')
    for e, m in itertools.product(['e4m3x2', 'e5m2x2'], ['', '.relu']):
        add(f'cvt.rn.satfinite{m}.{e}.f32 d,a,b;', 'b16', 'f32', 'f32')
        add(f'cvt.rn.satfinite{m}.{e}.f16x2 d,a;', 'b16', 'f16x2')
        add(f'cvt.rn{m}.f16x2.{e} d,a;', 'f16x2', 'b16')
    for t in ['u16', 's16']:
        add(f'cvt.pack.sat.{t}.s32 d,a,b;', 'b32', 's32', 's32')
    for t in ['u8', 's8']:
        add(f'cvt.pack.sat.{t}.s32.b32 d,a,b,c;', 'b32', 's32', 's32', 'b32')


def video():
    for op, t in itertools.product(['add', 'sub', 'absdiff', 'min', 'max'], ['u32', 's32']):
        types = f'{t}.{t}.{t}'
        add(f'v{op}.{types} d,a,b;', 'b32', 'b32', 'b32')
        add(f'v{op}.{types}.sat d,a.b1,b.h1;', 'b32', 'b32', 'b32')
        add(f'v{op}.{types}.add d,a.h0,b.b3,c;', 'b32', 'b32', 'b32', 'b32')
        add(f'v{op}.{types} d.b2,a,b,c;', 'b32', 'b32', 'b32', 'b32')
    for t in ['u32', 's32']:
        for mode in ['clamp', 'wrap']:
            add(f'vshl.{t}.{t}.u32.{mode} d,a,b;', 'b32', 'b32', 'shift')
            add(f'vshr.{t}.{t}.u32.{mode} d,a.h1,b;', 'b32', 'b32', 'shift')
        add(f'vmad.{t}.{t}.{t} d,a.h0,b.h1,c;', 'b32', 'b32', 'b32', 'b32')
        for c in 'eq ne lt le gt ge'.split():
            add(f'vset.{t}.{t}.{c} d,a.b0,b.b1;', 'b32', 'b32', 'b32')
    for n, t in itertools.product('24', ['u32', 's32']):
        for op, m in itertools.product(['add', 'sub', 'avrg', 'absdiff', 'min', 'max'],
                                       ['', '.add', '.sat']):
            add(f'v{op}{n}.{t}.{t}.{t}{m} d,a,b,c;', 'b32', 'b32', 'b32', 'b32')
        for c, m in itertools.product('eq ne lt le gt ge'.split(), ['', '.add']):
            add(f'vset{n}.{t}.{t}.{c}{m} d,a,b,c;', 'b32', 'b32', 'b32', 'b32')
    add('vadd4.u32.u32.u32 d.b20,a.b7531,b.b0123,c;', 'b32', 'b32', 'b32', 'b32')
    add('vadd2.u32.u32.u32 d.h1,a.h31,b.h02,c;', 'b32', 'b32', 'b32', 'b32')


def moves():
    add('mov.b64 d,{a,b};', 'b64', 'b32', 'b32')
    add('mov.b32 d,{a,b};', 'b32', 'b16', 'b16')
    add('mov.b64 d,{a,b,c,e};', 'b64', 'b16', 'b16', 'b16', 'b16')
    add('{.reg .b32 x; mov.b64 {d,x},a;}', 'b32', 'b64')
    add('{.reg .b32 x; mov.b64 {x,d},a;}', 'b32', 'b64')
    add('{.reg .b16 x; mov.b32 {x,d},a;}', 'b16', 'b32')
    add('mov.b32 d,a;', 'b32', 'f32')
    add('mov.b64 d,a;', 'b64', 'f64')
    add('@c add.s32 d,a,b;', 's32', 's32', 's32', 'pred')
    add('@!c mul.lo.s32 d,a,b;', 's32', 's32', 's32', 'pred')


F32_EDGES = [
    0, 0x80000000, 1, 0x80000001, 0x7fffff, 0x800000, 0x80800000, 0x3f800000, 0xbf800000,
    0x7f800000, 0xff800000, 0x7fc00000, 0x7f7fffff, 0xff7fffff, 0x3f000000, 0x3fc00000, 0x40200000,
    0xbf000000, 0xbfc00000, 0x4b000000, 0x4b800001, 0x4f000000, 0xcf000000, 0x4f800000, 0x5f000000,
    0xdf000000, 0x5f800000, 0x477fe000, 0x477ff000, 0x387fc000, 0x33000000, 0x33000001, 0x3f800001,
    0x3f7fffff, 0x43dff000, 0x43e80000, 0x400000, 0x42fe0000, 0x43000000, 0x437f8000, 0x437f0000]
F16_EDGES = [0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x3c00, 0xbc00, 0x7c00, 0xfc00, 0x7e00, 0x7bff,
             0xfbff, 0x3800, 0x3e00, 0x4100, 0xb800, 0x3c01, 0x3bff]
BF16_EDGES = [0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x3f80, 0xbf80, 0x7f80, 0xff80, 0x7fc0, 0x7f7f,
              0xff7f, 0x3f00, 0x3fc0, 0x4020]


def f32_bits(value):
    return struct.unpack('I', struct.pack('f', value))[0]


def f64_bits(value):
    return struct.unpack('Q', struct.pack('d', value))[0]


def sample(t):
    """A bit pattern: edge cases, ordinary values and random bits in turn."""
    pick = random.randrange(6)
    if t == 'f32':
        if pick == 0:
            return random.choice(F32_EDGES)
        if pick == 1:
            return random.getrandbits(32)
        if pick < 4:
            return f32_bits(random.uniform(-1000, 1000) if pick == 2 else random.uniform(-2, 2))
        if pick == 4:
            return f32_bits(random.randrange(-300, 300) / 2)
        exponent = random.choice([0, 1, 2, 100, 110, 126, 127, 128, 150, 157, 158, 159, 189, 190, 254])
        return random.getrandbits(32) & 0x807fffff | exponent << 23
    if t == 'f64':
        if pick == 0:
            return f64_bits(struct.unpack('f', struct.pack('I', random.choice(F32_EDGES)))[0])
        if pick == 1:
            return random.getrandbits(64)
        if pick == 2:
            return f64_bits(random.uniform(-1e5, 1e5))
        if pick == 3:
            return f64_bits(random.randrange(-(1 << 33), 1 << 33) / 2)
        exponent = random.choice([0, 1, 2, 870, 896, 897, 1008, 1009, 1022, 1023, 1024, 1054, 1055,
                                  1085, 1086, 1087, 1151, 2045, 2046])
        return random.getrandbits(64) & 0x800fffffffffffff | exponent << 52
    if t == 'f16':
        if pick < 2:
            return random.choice(F16_EDGES)
        if pick < 4:
            return random.getrandbits(16)
        return struct.unpack('H', struct.pack('e', random.uniform(-100, 100)))[0]
    if t == 'bf16':
        if pick < 2:
            return random.choice(BF16_EDGES)
        return random.getrandbits(16) if pick < 4 else f32_bits(random.uniform(-100, 100)) >> 16
    if t in ('f16x2', 'bf16x2'):
        return sample(t[:-2]) | sample(t[:-2]) << 16
    if t == 'pred':
        return random.getrandbits(1)
    if t == 'shift':
        return random.choice([0, 1, 2, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 300,
                              random.getrandbits(32), random.randrange(64)])
    if t == 'field':  # the ISA admits 0 to 255
        return random.choice([0, 1, 2, 5, 8, 15, 16, 24, 30, 31, 32, 33, 63, 64, 65, 255,
                              random.randrange(64), random.randrange(32)])
    if t == 'lane':
        return random.randrange(32)
    if t == 'offset':
        return random.randrange(-8, 9) & 0xffffffff
    width = int(t[1:])
    mask = (1 << width) - 1
    if pick == 0:
        return random.choice([0, 1, 2, 3, mask, mask - 1, 1 << (width - 1), (1 << (width - 1)) - 1,
                              (1 << (width - 1)) + 1, 255, 128, 127, 256, 10]) & mask
    if pick == 1:
        return random.randrange(-100, 100) & mask
    if pick == 2:
        return random.getrandbits(width)
    value = random.getrandbits(random.randrange(1, width + 1))
    return value if pick < 5 else ~value & mask


def register_type(t):
    if t == 'pred':
        return '.pred'
    if t in ('f32', 'f64'):
        return '.' + t
    if t in ('f16', 'bf16'):
        return '.b16'
    if t[1:].isdigit():
        return '.b' + str(max(int(t[1:]), 16))
    return '.b32'


def narrow(register, t, word):
    kind = register_type(t)
    if kind == '.pred':
        return f'{{.reg .b32 z; cvt.u32.u64 z,{word}; setp.ne.u32 {register},z,0;}}'
    if kind == '.f32':
        return f'{{.reg .b32 z; cvt.u32.u64 z,{word}; mov.b32 {register},z;}}'
    if kind in ('.b64', '.f64'):
        return f'mov.b64 {register},{word};'
    return f'cvt.u{kind[2:]}.u64 {register},{word};'


def widen(t):
    kind = register_type(t)
    if kind == '.pred':
        return 'selp.b64 o,1,0,d;'
    if kind == '.f32':
        return '{.reg .b32 z; mov.b32 z,d; cvt.u64.u32 o,z;}'
    if kind in ('.b64', '.f64'):
        return 'mov.b64 o,d;'
    return f'cvt.u64.u{kind[2:]} o,d;'


def kernel(index, instruction, result, operands):
    lines = [f'.visible .entry t{index}(.param .u64 in, .param .u64 out)', '{',
             '.reg .b64 pi,po,o,x0,x1,x2,x3,off;', '.reg .b32 t;', f'.reg {register_type(result)} d;']
    names = 'abce'
    for name, t in zip(names, operands):
        lines.append(f'.reg {register_type(t)} {name};')
    lines += ['ld.param.u64 pi,[in];', 'ld.param.u64 po,[out];', 'mov.u32 t,%tid.x;',
              'mul.wide.u32 off,t,32;', 'add.u64 pi,pi,off;', 'mul.wide.u32 off,t,8;',
              'add.u64 po,po,off;', 'ld.global.v2.u64 {x0,x1},[pi];',
              'ld.global.v2.u64 {x2,x3},[pi+16];']
    for i, (name, t) in enumerate(zip(names, operands)):
        lines.append(narrow(name, t, f'x{i}'))
    if instruction.startswith('@'):
        lines.append('mov.b32 d,77;')
    lines += [instruction, widen(result), 'st.global.u64 [po],o;', 'ret;', '}']
    return '\n'.join(lines) + '\n'


HEADER = '.version 8.6\n.target sm_90\n.address_size 64\n'


def collect():
    for group in [integer_arithmetic, bits, floats, half_floats, conversions, video, moves]:
        group()


def inputs(operands, mode):
    words = [sample(t) for t in operands]
    if mode == 'divides':
        width = int(operands[1][1:])
        if words[1] == 0 or (operands[1][0] == 's' and words[1] == (1 << width) - 1):
            words[1] = 3
    return words + [0] * (4 - len(words))


def write_kernels(directory):
    random.seed(7)
    collect()
    with open(f'{directory}/tests.ptx', 'w') as ptx, open(f'{directory}/inputs.bin', 'wb') as data, \
            open(f'{directory}/tests.tsv', 'w') as table:
        ptx.write(HEADER)
        for index, (instruction, result, operands, mode) in enumerate(tests):
            ptx.write(kernel(index, instruction, result, operands))
            table.write(f'{index}\t{result}\t{instruction}\n')
            for _ in range(SAMPLES):
                data.write(struct.pack('<4Q', *inputs(operands, mode)))
    print(len(tests))


def pack(directory, path):
    """u32 tests, u32 samples; per test: result type, instruction, PTX (u32 length each), inputs, outputs."""
    collect()
    data = open(f'{directory}/inputs.bin', 'rb').read()
    outputs = open(f'{directory}/outputs.bin', 'rb').read()
    with open(path, 'wb') as packed:
        packed.write(struct.pack('<II', len(tests), SAMPLES))
        for index, (instruction, result, operands, _) in enumerate(tests):
            for text in (result, instruction, HEADER + kernel(index, instruction, result, operands)):
                packed.write(struct.pack('<I', len(text)) + text.encode())
            packed.write(data[index * SAMPLES * 32:(index + 1) * SAMPLES * 32])
            packed.write(outputs[index * SAMPLES * 8:(index + 1) * SAMPLES * 8])


if sys.argv[1] == 'kernels':
    write_kernels(sys.argv[2])
else:
    pack(sys.argv[2], sys.argv[3])
