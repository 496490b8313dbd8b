"""Avro as fastavro reads and writes it, for tests/avro.rs.

    avro.py generate SEED COUNT    prints schemas with a value of each: one JSON object on a line
    avro.py read                   reads lines with a schema and payloads, prints the values

`generate` makes what the value looks like in JSON from the value itself, by the table in doc/avro.md.
"""

import base64
import datetime
import decimal
import io
import json
import random
import struct
import sys
import uuid

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

EPOCH = datetime.datetime(1970, 1, 1)
MILLIS = datetime.timedelta(milliseconds=1)
MICROS = datetime.timedelta(microseconds=1)


def iso(nanoseconds, digits, end):
    """The text of a point in time, with so many digits of a fraction."""
    seconds, rest = divmod(nanoseconds, 10**9)
    text = (EPOCH + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").zfill(19)
    return f"{text}.{rest // 10 ** (9 - digits):0{digits}}{end}"


def shortest_single(value):
    """The shortest text that is read as this number of 32 bits."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return float(text)
    return value


def words(rng):
    alphabet = 'abc XYZ"\\/\n\t\u0001äß€𝄞'
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 12)))


class Maker:
    """Makes schemas, values, and the JSON of the values."""

    def __init__(self, rng):
        self.rng = rng
        self.count = 0
        self.defined = {}

    def name(self):
        self.count += 1
        return f"{self.rng.choice(['a', 'a.b', 'c'])}.T{self.count}"

    def named(self, schema, make):
        full = schema["name"]
        self.defined[full] = make
        if self.rng.random() < 0.5:
            schema["namespace"], schema["name"] = full.rsplit(".", 1)
        return schema, make

    @staticmethod
    def label(schema):
        """The name of a branch of a union."""
        if isinstance(schema, str):
            return schema
        if "namespace" in schema:
            return f"{schema['namespace']}.{schema['name']}"
        return schema.get("name", schema["type"])

    def scalar(self):
        """A schema without other schemas in it, and a function that makes a value and its JSON."""
        rng = self.rng
        kind = rng.randrange(24)
        if kind == 0:
            return "null", lambda: (None, None)
        if kind == 1:
            return "boolean", lambda: ((value := rng.random() < 0.5), value)
        if kind == 2:
            return "int", lambda: ((value := rng.choice([0, -1, 63, 64, 2**31 - 1, -(2**31), rng.randint(-999, 999)])), value)
        if kind == 3:
            return "long", lambda: ((value := rng.choice([0, -(2**63), 2**63 - 1, rng.randint(-(2**63), 2**63 - 1)])), value)
        if kind == 4:

            def single():
                value = struct.unpack("<f", struct.pack("<f", rng.uniform(-1e6, 1e6)))[0]
                return value, shortest_single(value)

            return {"type": "float"}, single
        if kind == 5:
            return "double", lambda: ((value := rng.choice([0.0, -0.5, 1e300, rng.uniform(-1, 1)])), value)
        if kind in (6, 7):
            return "string", lambda: ((value := words(rng)), value)
        if kind == 8:
            return "bytes", lambda: ((value := rng.randbytes(rng.randint(0, 9))), base64.b64encode(value).decode())
        if kind == 9:
            size = rng.randint(0, 9)
            make = lambda: ((value := rng.randbytes(size)), base64.b64encode(value).decode())
            return self.named({"type": "fixed", "name": self.name(), "size": size}, make)
        if kind == 10:
            symbols = [f"S{n}" for n in range(rng.randint(1, 5))]
            make = lambda: ((value := rng.choice(symbols)), value)
            return self.named({"type": "enum", "name": self.name(), "symbols": symbols}, make)
        if kind == 11 and self.defined:
            full = rng.choice(list(self.defined))
            return full, self.defined[full]
        if kind == 12:

            def date():
                value = datetime.date(1, 1, 1) + datetime.timedelta(days=rng.randint(0, 3652058))
                return value, value.isoformat()

            return {"type": "int", "logicalType": "date"}, date
        if kind == 13:

            def time_millis():
                value = (EPOCH + MILLIS * rng.randint(0, 86_399_999)).time()
                return value, value.strftime("%H:%M:%S.") + f"{value.microsecond // 1000:03}"

            return {"type": "int", "logicalType": "time-millis"}, time_millis
        if kind == 14:

            def time_micros():
                value = (EPOCH + MICROS * rng.randint(0, 86_399_999_999)).time()
                return value, value.strftime("%H:%M:%S.%f")

            return {"type": "long", "logicalType": "time-micros"}, time_micros
        if kind in (15, 16, 17, 18):
            unit, digits = (MILLIS, 3) if kind % 2 else (MICROS, 6)
            is_local = kind > 16

            def stamp():
                step = rng.randint(-(10**10), 10**11) if digits == 3 else rng.randint(-(10**13), 10**15)
                value = EPOCH + unit * step
                text = iso(step * 10 ** (9 - digits), digits, "" if is_local else "Z")
                return value if is_local else value.replace(tzinfo=datetime.timezone.utc), text

            logical = ("local-" if is_local else "") + ("timestamp-millis" if digits == 3 else "timestamp-micros")
            return {"type": "long", "logicalType": logical}, stamp
        if kind == 19:

            def nanos():
                value = rng.randint(-(10**18), 2 * 10**18)
                return value, iso(value, 9, "Z")

            return {"type": "long", "logicalType": "timestamp-nanos"}, nanos
        if kind == 20:
            precision = rng.randint(1, 30)
            scale = rng.randint(0, precision)

            def number():
                unscaled = rng.randint(-(10**precision) + 1, 10**precision - 1)
                with decimal.localcontext() as context:
                    context.prec = 40
                    value = decimal.Decimal(unscaled).scaleb(-scale)
                    text = f"{value:f}"
                if precision > 15:
                    return value, text
                return value, int(text) if scale == 0 else float(text)

            schema = {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}
            if rng.random() < 0.5:
                schema.update({"type": "fixed", "name": self.name(), "size": 16})
                return self.named(schema, number)
            return schema, number
        if kind == 21:

            def duration():
                months, days, millis = (rng.randint(0, 2**32 - 1) for _ in range(3))
                text = f"P{months}M{days}DT{millis // 1000}.{millis % 1000:03}S"
                return struct.pack("<III", months, days, millis), text

            schema = {"type": "fixed", "name": self.name(), "size": 12, "logicalType": "duration"}
            return self.named(schema, duration)
        identity = lambda: ((value := uuid.UUID(int=rng.getrandbits(128))), str(value))
        return {"type": "string", "logicalType": "uuid"}, identity

    def schema(self, depth):
        rng = self.rng
        kind = rng.randrange(9) if depth > 0 else 0
        if kind == 5:
            items, make = self.schema(depth - 1)

            def array():
                values = [make() for _ in range(rng.randint(0, 4))]
                return [value for value, _ in values], [text for _, text in values]

            return {"type": "array", "items": items}, array
        if kind == 6:
            inner, make = self.schema(depth - 1)

            def mapping():
                values = {words(rng): make() for _ in range(rng.randint(0, 3))}
                return ({key: value for key, (value, _) in values.items()}, {key: text for key, (_, text) in values.items()})

            return {"type": "map", "values": inner}, mapping
        if kind == 7:
            return self.record(depth - 1)
        if kind == 8:
            return self.union(depth - 1)
        return self.scalar()

    def union(self, depth):
        """A union with null, in which no type occurs twice."""
        branches, makers, known = ["null"], [lambda: (None, None)], {"null"}
        for _ in range(self.rng.randint(1, 4)):
            before = dict(self.defined)
            schema, make = self.schema(depth)
            label = None if isinstance(schema, list) else self.label(schema)
            if label is None or label in known:
                # What is left out defines nothing.
                self.defined = before
                continue
            known.add(label)
            branches.append(schema)
            makers.append(lambda make=make, label=label: ((label, (made := make())[0]), made[1]))
        # A type is defined before others refer to it, so only null has any place.
        place = self.rng.randrange(len(branches))
        branches.insert(place, branches.pop(0))
        makers.insert(place, makers.pop(0))
        return branches, lambda: self.rng.choice(makers)()

    def record(self, depth):
        name = self.name()
        fields, makers = [], []
        for number in range(self.rng.randint(0, 5)):
            schema, make = self.schema(depth)
            fields.append({"name": f"f{number}", "type": schema})
            makers.append((f"f{number}", make))

        def value():
            made = {field: make() for field, make in makers}
            return ({field: value for field, (value, _) in made.items()}, {field: text for field, (_, text) in made.items()})

        make = value
        if self.rng.random() < 0.3:
            fields.append({"name": "next", "type": ["null", name]})

            def chain():
                (inner, text) = (None, None)
                for _ in range(self.rng.randint(1, 3)):
                    (outer, outer_text) = value()
                    outer["next"] = None if inner is None else (name, inner)
                    outer_text["next"] = text
                    (inner, text) = (outer, outer_text)
                return inner, text

            make = chain
        schema = {"type": "record", "name": name, "fields": fields}
        return self.named(schema, make)


def generate(seed, count):
    for number in range(count):
        maker = Maker(random.Random(f"{seed} {number}"))
        schema, make = maker.record(3)
        value, expected = make()
        payload = io.BytesIO()
        fastavro.schemaless_writer(payload, fastavro.parse_schema(schema), value)
        canonical = to_parsing_canonical_form(schema)
        print(
            json.dumps(
                {
                    "schema": json.dumps(schema),
                    "payload": payload.getvalue().hex(),
                    "expected": expected,
                    "canonical": canonical,
                    "fingerprint": fingerprint(canonical, "CRC-64-AVRO"),
                }
            )
        )


def plain(value):
    if isinstance(value, datetime.datetime):
        return iso(int((value - EPOCH.replace(tzinfo=datetime.timezone.utc)) / MILLIS) * 10**6, 3, "Z")
    raise TypeError(type(value))


def read():
    for line in sys.stdin:
        case = json.loads(line)
        schema = fastavro.parse_schema(json.loads(case["schema"]))
        reader = case.get("reader")
        reader = fastavro.parse_schema(json.loads(reader)) if reader else None
        for payload in case["payloads"]:
            data = io.BytesIO(bytes.fromhex(payload))
            value = fastavro.schemaless_reader(data, schema, reader)
            assert data.read() == b"", "bytes are left"
            print(json.dumps(value, default=plain))


if sys.argv[1] == "generate":
    generate(sys.argv[2], int(sys.argv[3]))
else:
    read()
