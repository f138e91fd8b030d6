#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares `cradle image` with ESP-IDF's spiffsgen.py and gen_esp32part.py on random input.

    compare.py IDF_PATH CRADLE WORK [DRIVER]

DRIVER is the program of spiffs_driver.c, for the checks with the SPIFFS driver itself. Prints one
line a check; exit code 1 when one failed. The seed is printed and may be set: FLASH_SEED=n;
FLASH_ROUNDS=n sets how many file sets are tried (default 600).
"""
import importlib.util
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import types
import zlib
from unittest import mock

IDF, CRADLE, WORK = sys.argv[1:4]
DRIVER = sys.argv[4] if len(sys.argv) > 4 else None
SEED = int(os.environ.get('FLASH_SEED', random.randrange(1 << 30)))
ROUNDS = int(os.environ.get('FLASH_ROUNDS', 600))
failed = False


def say(result, name, why=''):
    global failed
    failed = failed or result == 'FAILED'
    print(f'{result:<7} {name}{": " + why if why else ""}', flush=True)


class Died(Exception):
    pass


def load(path, name):
    """Imports a tool of ESP-IDF. Since v6.1 they want packages for their own command line, which
    is not used here: stand-ins do."""
    def die(*args, **kwargs):
        raise Died(*args)
    logger = types.ModuleType('esp_pylib.logger')
    logger.log = mock.MagicMock(die=die)
    for module, stand_in in (('esp_pylib', mock.MagicMock()), ('esp_pylib.logger', logger),
                             ('esp_pylib.cli_options', mock.MagicMock()),
                             ('esp_pylib.cli_types', mock.MagicMock()),
                             ('rich_click', mock.MagicMock())):
        sys.modules.setdefault(module, stand_in)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cradle(*args):
    p = subprocess.run([CRADLE, 'image', *map(str, args)], capture_output=True, timeout=60)
    if p.returncode not in (0, 1, 2):
        raise Exception(f'cradle image {args} ended with {p.returncode}: {p.stderr}')
    return p.returncode == 0, p.stdout, p.stderr.decode(errors='replace')


def contents(path):
    with open(path, 'rb') as f:
        return f.read()


def store(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(data)


def fresh(name):
    path = os.path.join(WORK, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


# ---- SPIFFS images ----

def random_options(rnd):
    page = rnd.choice([256, 256, 256, 512, 1024])
    block = rnd.choice([4096, 4096, 4096, 8192, 16384, 65536])
    return {
        'size': block * rnd.randrange(1, max(2, 0x40000 // block)),
        'page-size': page, 'block-size': block,
        'obj-name-len': rnd.choice([32, 32, 16, 33, 64, 128]),
        'meta-len': rnd.choice([4, 4, 0, 1, 7, 16]),
        'no-magic': rnd.random() < 0.2, 'no-magic-len': rnd.random() < 0.2,
        'big-endian': rnd.random() < 0.2, 'aligned-obj-ix-tables': rnd.random() < 0.2,
    }


def option_args(o):
    args = []
    for k, v in o.items():
        if v is True:
            args += ['--' + k]
        elif v is not False:
            args += ['--' + k, str(v)]
    return args


def random_files(rnd, o, root):
    """Writes random files; their names in a random order."""
    names = set()
    room = o['size']
    for _ in range(rnd.randrange(0, 12)):
        length = rnd.randrange(1, min(o['obj-name-len'] - 2, 40))
        name = ''.join(rnd.choice('abcXYZ019_-.') for _ in range(length))
        if rnd.random() < 0.3 and length > 3:
            name = name[:length // 2] + '/' + name[length // 2 + 1:]
        if any(p in ('', '.', '..') for p in name.split('/')):
            continue
        size = rnd.choice([0, 1, rnd.randrange(600), rnd.randrange(5000), rnd.randrange(room // 2)])
        try:
            store(os.path.join(root, name), rnd.randbytes(size))
            names.add(name)
        except OSError:
            pass  # a file where a directory is wanted
    names = sorted(names)
    rnd.shuffle(names)
    return names


def spiffsgen_build(gen, o, root, names):
    config = gen.SpiffsBuildConfig(
        o['page-size'], 2, o['block-size'], 2, o['meta-len'], o['obj-name-len'], 2, 2, True, True,
        'big' if o['big-endian'] else 'little', not o['no-magic'], not o['no-magic-len'],
        o['aligned-obj-ix-tables'])
    fs = gen.SpiffsFS(o['size'], config)
    for name in names:
        fs.create_file('/' + name, os.path.join(root, name))
    return fs.to_binary()


def check_spiffsgen(gen):
    name = f'spiffsgen.py: {ROUNDS} random file sets and options'
    rnd = random.Random(SEED)
    equal = full = 0
    for i in range(ROUNDS):
        root = fresh('files')
        o = random_options(rnd)
        names = random_files(rnd, o, root)
        out, list_file = os.path.join(WORK, 'image'), os.path.join(WORK, 'list')
        store(list_file, ''.join(n + '\n' for n in names).encode())
        ok, _, text = cradle('spiffs', 'build', root, '--files-from', list_file, '-o', out,
                             *option_args(o))
        try:
            wanted = spiffsgen_build(gen, o, root, names)
        except (Died, RuntimeError) as e:
            wanted = None
        if ok != (wanted is not None) or (ok and contents(out) != wanted):
            say('FAILED', name, f'seed {SEED} round {i} {o} {names}: {text}')
            return
        equal += 1 if ok else 0
        full += 0 if ok else 1
        if ok and not o['no-magic']:
            ok, _, text = cradle('spiffs', 'list', out, *option_args(o))
            if not ok:
                say('FAILED', name, f'our reader refuses round {i}, seed {SEED}: {text}')
                return
    say('passed', name, f'{equal} images equal byte for byte, {full} full in both, seed {SEED}')


def check_spiffsgen_script(path):
    """The script itself, with the order in which it walks a directory."""
    name = 'spiffsgen.py as a program: os.walk order, default options'
    rnd = random.Random(SEED + 1)
    for i in range(10):
        root = fresh('files')
        o = dict(random_options(rnd), **{'page-size': 256, 'block-size': 4096, 'obj-name-len': 32,
                                         'meta-len': 4, 'size': 0x40000})
        random_files(rnd, o, root)
        theirs, ours = os.path.join(WORK, 'theirs'), os.path.join(WORK, 'ours')
        p = subprocess.run([sys.executable, path, str(o['size']), root, theirs],
                           capture_output=True, text=True)
        if p.returncode != 0 and 'No module named' in p.stderr:
            say('not run', name, p.stderr.strip().splitlines()[-1])
            return
        order = [os.path.relpath(os.path.join(d, f), root) for d, _, fs in os.walk(root) for f in fs]
        store(os.path.join(WORK, 'list'), ''.join(n + '\n' for n in order).encode())
        ok, _, text = cradle('spiffs', 'build', root, '--size', o['size'], '--files-from',
                             os.path.join(WORK, 'list'), '-o', ours)
        if ok != (p.returncode == 0) or (ok and contents(ours) != contents(theirs)):
            say('FAILED', name, f'seed {SEED} round {i}: {text}{p.stderr}')
            return
    say('passed', name)


# ---- the SPIFFS driver ----

def driver_listing(args):
    p = subprocess.run([DRIVER, *args], capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        return None, p.stdout + p.stderr
    files = {}
    for line in p.stdout.splitlines():
        file_name, size, crc = line.rsplit(' ', 2)
        files[file_name] = (int(size), crc)
    return files, ''


def check_driver_reads():
    """The driver, configured by ESP-IDF's header, mounts and reads what we build, and its own
    consistency check changes nothing."""
    name = 'SPIFFS driver mounts and reads our images'
    rnd = random.Random(SEED + 2)
    count = 0
    for i in range(150):
        root = fresh('files')
        o = {'size': 4096 * rnd.randrange(4, 64), 'obj-name-len': 32}
        names = random_files(rnd, o, root)
        image = os.path.join(WORK, 'image')
        ok, _, _ = cradle('spiffs', 'build', root, '--size', o['size'], '-o', image)
        if not ok:
            continue
        before = contents(image)
        files, why = driver_listing(['read', image])
        wanted = {'/' + n: (os.path.getsize(os.path.join(root, n)),
                            f'{zlib.crc32(contents(os.path.join(root, n))):08x}') for n in names}
        if files != wanted or contents(image) != before:
            say('FAILED', name, f'seed {SEED} round {i}: {files} {wanted} {why}')
            return
        count += 1
    say('passed', name, f'{count} images')


def check_driver_writes():
    """We read what the driver leaves after random creating, appending, overwriting, deleting."""
    name = "our reader reads what the SPIFFS driver wrote"
    rnd = random.Random(SEED + 3)
    files_read = broken = 0
    for i in range(150):
        root = fresh('files')
        o = {'size': 4096 * rnd.randrange(6, 48), 'obj-name-len': 32}
        random_files(rnd, dict(o, size=o['size'] // 6), root)
        image = os.path.join(WORK, 'image')
        ok, _, text = cradle('spiffs', 'build', root, '--size', o['size'], '-o', image)
        if not ok:
            continue
        wanted, why = driver_listing(['churn', image, str(rnd.randrange(1 << 30))])
        out = fresh('out')
        ok, _, text = cradle('spiffs', 'extract', image, '-o', out)
        if wanted is None:
            # When it runs full the driver sometimes leaves what it cannot read or must repair.
            broken += 1
            continue
        found = {}
        for d, _, fs in os.walk(out):
            for f in fs:
                path = os.path.join(d, f)
                data = contents(path)
                found['/' + os.path.relpath(path, out)] = (len(data), f'{zlib.crc32(data):08x}')
        if not ok or found != wanted:
            say('FAILED', name, f'seed {SEED} round {i}: {text} {found} {wanted}')
            return
        files_read += len(found)
    if broken > 30:
        say('FAILED', name, f'{broken} of 150 file systems need repair, seed {SEED}')
        return
    say('passed', name, f'{files_read} files; {broken} of 150 file systems not compared: the '
        "driver's own check repairs them")


# ---- partition tables ----

NUMBERS = ['', '0x1000', '0x2000', '0x3000', '4K', '0x6000', '1M', '0x10000', '64k', '0x18000',
           '0x1001', '8192', '-0x200000', '0x', '12Q', '010', '0', '0x180000']
TYPES = ['app', 'data', 'data', 'data', '0x40', '66', 'APP', 'nonsense', '']
SUBTYPES = {
    'app': ['factory', 'ota_0', 'ota_1', 'ota_15', 'test', 'tee_0', '0x11', '', 'nvs'],
    'data': ['nvs', 'ota', 'phy', 'coredump', 'nvs_keys', 'efuse', 'undefined', 'esphttpd', 'fat',
             'spiffs', 'littlefs', 'tee_ota', '', '0x99', 'factory'],
}
FLAGS = ['', '', '', 'encrypted', 'readonly', 'encrypted:readonly', 'readonly:encrypted', 'bad']


def random_csv(rnd, wild):
    lines = ['# Name, Type, SubType, Offset, Size, Flags']
    for i in range(rnd.randrange(1, 9)):
        if wild:
            kind = rnd.choice(TYPES)
            sub = rnd.choice(SUBTYPES.get(kind.lower(), ['0', '7', '0xfe', '']))
            offset = rnd.choice(['', '', '', '0x9000', '0x10000', '0x20000', '0x110000', '0x9100'])
            row = [rnd.choice(['nvs', 'a', 'b', f'p{i}', f'p{i}']), kind, sub, offset,
                   rnd.choice(NUMBERS), rnd.choice(FLAGS)]
        else:
            kind = rnd.choice(['app', 'data', 'data'])
            sub = {'app': f'ota_{i}', 'data': rnd.choice(['nvs', 'spiffs', 'fat', 'phy', '0x77'])}
            row = [f'part_{i}', kind, sub[kind], '',
                   rnd.choice(['0x6000', '64K', '0x30000', '1M', '0x3000']),
                   rnd.choice(['', '', 'encrypted', 'readonly'])]
        lines.append(rnd.choice([',', ', ', ' ,']).join(row))
        if rnd.random() < 0.1:
            lines.append(rnd.choice(['', '  ', '# more']))
    return '\n'.join(lines) + rnd.choice(['', '\n'])


def part_build(gen, csv, offset, md5):
    gen.quiet, gen.md5sum, gen.secure, gen.offset_part_table = True, md5, None, offset
    table = gen.PartitionTable.from_csv(csv)
    table.verify()
    return table.to_binary()


def silent(call, *args):
    """Their warnings and tracebacks are not our output."""
    with mock.patch.object(sys, 'stderr', open(os.devnull, 'w')):
        try:
            return call(*args)
        except Exception:
            return None


def check_partition_csv(gen):
    name = 'gen_esp32part.py: 800 random CSV files, right and wrong'
    rnd = random.Random(SEED + 4)
    equal = refused = 0
    for i in range(800):
        csv = random_csv(rnd, rnd.random() < 0.6)
        offset = rnd.choice([0x8000, 0xd000])
        md5 = rnd.random() < 0.8
        path, out = os.path.join(WORK, 'table.csv'), os.path.join(WORK, 'table.bin')
        store(path, csv.encode())
        args = ['partitions', 'build', path, '-o', out, '--offset', hex(offset)]
        ok, _, text = cradle(*args, *([] if md5 else ['--disable-md5sum']))
        wanted = silent(part_build, gen, csv, offset, md5)
        if ok != (wanted is not None) or (ok and contents(out) != wanted):
            say('FAILED', name, f'seed {SEED} round {i}: {text}\n{csv}')
            return
        if ok:
            _, shown, _ = cradle('partitions', 'show', out, '--csv', '--offset', hex(offset))
            theirs = gen.PartitionTable.from_binary(wanted).to_csv()
            if shown.decode() != theirs:
                say('FAILED', name, f'seed {SEED} round {i} printed:\n{shown.decode()}{theirs}')
                return
        equal += 1 if ok else 0
        refused += 0 if ok else 1
    say('passed', name, f'{equal} tables equal byte for byte, {refused} refused by both, seed {SEED}')


def part_accepts(gen, data, offset):
    gen.quiet, gen.md5sum, gen.secure, gen.offset_part_table = True, True, None, offset
    table = gen.PartitionTable.from_binary(data)
    table.verify()
    return True


def check_partition_binaries(gen):
    """Tables with a changed byte, with and without a checksum. Where we are stricter on purpose
    (label characters, sizes beyond 32 bits), only a table that we take and they refuse counts."""
    name = 'gen_esp32part.py: 600 damaged binary tables'
    rnd = random.Random(SEED + 5)
    path = os.path.join(WORK, 'table.bin')
    same = stricter = 0
    for i in range(600):
        wanted = None
        while wanted is None:
            wanted = silent(part_build, gen, random_csv(rnd, False), 0x8000, rnd.random() < 0.5)
        data = bytearray(wanted)
        for _ in range(rnd.randrange(0, 3)):
            data[rnd.randrange(0, 10 * 32)] ^= 1 << rnd.randrange(8)
        store(path, bytes(data))
        ok, _, text = cradle('partitions', 'show', path)
        theirs = bool(silent(part_accepts, gen, bytes(data), 0x8000))
        if ok and not theirs:
            say('FAILED', name, f'seed {SEED} round {i}: they refuse it')
            return
        by_design = any(w in text for w in ('label', 'beyond 32 bits', 'goes on after'))
        if theirs and not ok and not by_design:
            say('FAILED', name, f'seed {SEED} round {i}: they take it, we say {text}')
            return
        same += 1 if ok == theirs else 0
        stricter += 0 if ok == theirs else 1
    say('passed', name, f'{same} judged alike, {stricter} refused only by us, by design')


def check_cradle_table(gen):
    name = "gen_esp32part.py takes Cradle's own table"
    path = os.path.join(WORK, 'app.bin')
    csv = """nvs,data,nvs,0xe000,0x6000
otadata,data,ota,0x14000,0x2000
phy_init,data,phy,0x16000,0x1000
identity,data,spiffs,0x17000,0x9000
ota_0,app,ota_0,0x20000,0x1e0000
ota_1,app,ota_1,0x200000,0x1e0000
cradle_nvs,data,nvs,0x3e0000,0x8000
nvs_keys,data,nvs_keys,0x3e8000,0x1000
outbox,data,undefined,0x3e9000,0x17000
"""
    wanted = silent(part_build, gen, csv, 0xd000, True)
    store(path + '.csv', csv.encode())
    ok, _, text = cradle('partitions', 'build', path + '.csv', '--offset', '0xd000', '-o', path)
    if wanted is None or not ok or contents(path) != wanted:
        say('FAILED', name, text)
    else:
        say('passed', name)


# ---- otadata and app image ----

STATES = {0: 'new', 1: 'pending verify', 2: 'valid', 3: 'invalid', 4: 'aborted',
          0xffffffff: 'undefined'}


def esp_select(entries):
    """bootloader_common_get_active_otadata and its callees, in Python."""
    def valid(seq, state, crc):
        good = zlib.crc32(struct.pack('<I', seq), 0xffffffff) == crc
        return seq != 0xffffffff and state not in (3, 4) and good
    best = None
    for i, (seq, state, crc) in enumerate(entries):
        if valid(seq, state, crc) and (best is None or seq > entries[best][0]):
            best = i
    return best


def check_otadata():
    """Entries made with Python's zlib as ESP-IDF makes them; ours is what `image show` says."""
    name = 'otadata: 100 random pairs of entries'
    rnd = random.Random(SEED + 6)
    csv, table = os.path.join(WORK, 'ota.csv'), os.path.join(WORK, 'ota.bin')
    store(csv, b'otadata,data,ota,,0x2000\nota_0,app,ota_0,,1M\nota_1,app,ota_1,,1M\n')
    cradle('partitions', 'build', csv, '-o', table)
    for i in range(100):
        flash = bytearray(b'\xff' * 0x400000)
        flash[0x8000:0x8c00] = contents(table)
        entries = []
        for sector in range(2):
            seq, state = rnd.randrange(1, 9), rnd.choice(list(STATES))
            crc = zlib.crc32(struct.pack('<I', seq), 0xffffffff) ^ rnd.choice([0, 0, 0, 1])
            entries.append((seq, state, crc))
            entry = struct.pack('<I', seq) + b'\xff' * 20 + struct.pack('<II', state, crc)
            flash[0x9000 + sector * 0x1000:0x9000 + sector * 0x1000 + 32] = entry
        path = os.path.join(WORK, 'flash')
        store(path, bytes(flash))
        _, shown, text = cradle('--json', 'show', path)
        try:
            found = [e['active'] for e in json.loads(shown)['otadata']]
        except ValueError:
            found = [text]
        best = esp_select(entries)
        if found != [best == 0, best == 1]:
            say('FAILED', name, f'seed {SEED} round {i}: {entries} {found}')
            return
    say('passed', name)


def check_esptool():
    name = 'esptool image-info reads our app image, checksum and hash valid'
    image = os.path.join(WORK, 'linux.bin')
    ok, _, text = cradle('app', '--app-version', '1.2.3', '-o', image)
    p = subprocess.run([sys.executable, '-m', 'esptool', '--chip', 'esp32', 'image-info', image],
                       capture_output=True, text=True)
    if 'No module named' in p.stderr:
        say('not run', name, 'this Python has no esptool')
    elif not ok or p.returncode != 0 or p.stdout.count('(valid)') != 2 or not all(
            t in p.stdout for t in ('cradle-linux', '1.2.3', 'no chip can run this')):
        say('FAILED', name, text + p.stdout + p.stderr)
    else:
        say('passed', name, p.stdout.splitlines()[0])


def main():
    spiffsgen = os.path.join(IDF, 'components/spiffs/spiffsgen.py')
    part = os.path.join(IDF, 'components/partition_table/gen_esp32part.py')
    if os.path.exists(spiffsgen):
        check_spiffsgen(load(spiffsgen, 'spiffsgen'))
        check_spiffsgen_script(spiffsgen)
    else:
        say('not run', 'spiffsgen.py', f'there is no {spiffsgen}')
    if os.path.exists(part):
        gen = load(part, 'gen_esp32part')
        check_cradle_table(gen)
        check_partition_csv(gen)
        check_partition_binaries(gen)
    else:
        say('not run', 'gen_esp32part.py', f'there is no {part}')
    check_otadata()
    check_esptool()
    if DRIVER:
        check_driver_reads()
        check_driver_writes()
    sys.exit(1 if failed else 0)


main()
