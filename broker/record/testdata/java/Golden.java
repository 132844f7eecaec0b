// Writes what the tests beside it compare with: entries built by Apache Kafka 3.9, what it reads from them, and what its
// LogValidator makes of produced batches. Run it with Kafka's jars on the class path and the output directory as argument:
//
//	java -cp 'libs/*' Golden.java .
//
// entries.txt: name, the bytes in base64, then a line per record. validate.txt: a case per block of key=value lines.

import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.PrimitiveRef;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogValidator;
import org.apache.kafka.storage.internals.log.RecordValidationException;

public class Golden {
    static final long T = 1700000000000L;
    static PrintWriter out;

    static byte[] b(String s) { return s == null ? null : s.getBytes(StandardCharsets.UTF_8); }

    static String hex(ByteBuffer v) {
        if (v == null) return "null";
        byte[] a = new byte[v.remaining()];
        v.duplicate().get(a);
        if (a.length > 40) {
            CRC32 c = new CRC32();
            c.update(a);
            return a.length + ":" + Long.toHexString(c.getValue());
        }
        StringBuilder s = new StringBuilder("'");
        for (byte x : a) s.append(String.format("%02x", x));
        return s.append("'").toString();
    }

    static String base64(ByteBuffer v) {
        byte[] a = new byte[v.remaining()];
        v.duplicate().get(a);
        return Base64.getEncoder().encodeToString(a);
    }

    static void entry(String name, ByteBuffer buffer) {
        out.println("entry " + name);
        out.println(base64(buffer));
        for (RecordBatch batch : MemoryRecords.readableRecords(buffer.duplicate()).batches()) {
            batch.ensureValid();
            for (org.apache.kafka.common.record.Record r : batch) {
                StringBuilder s = new StringBuilder("record " + r.offset() + " " + r.timestamp() + " " + hex(r.key()) + " " + hex(r.value()));
                for (Header h : r.headers())
                    s.append(" ").append(h.key()).append("=").append(hex(h.value() == null ? null : ByteBuffer.wrap(h.value())));
                out.println(s);
            }
        }
    }

    static MemoryRecordsBuilder builder(byte magic, Compression c, TimestampType type, long base) {
        return MemoryRecords.builder(ByteBuffer.allocate(1 << 20), magic, c, type, base, T + 999, -1L, (short) -1, -1, false, 5);
    }

    static void small(MemoryRecordsBuilder m, boolean headers) {
        Header[] none = {}, some = {new RecordHeader("h", b("x")), new RecordHeader("null", null), new RecordHeader("h", b("")), new RecordHeader("\u00e9", b("y"))};
        m.append(T, b("k1"), b("v1"), none);
        m.append(T + 500, null, b("no key"), headers ? some : none);
        m.append(T - 3, b("tombstone"), null, none);
        m.append(T + 2, b(""), b(""), none);
    }

    static void large(MemoryRecordsBuilder m) {
        StringBuilder s = new StringBuilder();
        for (int i = 0; i < 90; i++) {
            s.append("the quick brown fox ").append(i * 7919 % 1000).append(" jumps; ");
            m.append(T + i, b("key-" + i), b(s.substring(Math.max(0, s.length() - 500))));
        }
        byte[] big = new byte[100_000];
        for (int i = 0; i < big.length; i++) big[i] = (byte) (i / 1000);
        m.append(T + 1000, b("big"), big);
    }

    static ByteBuffer build(MemoryRecordsBuilder m, Consumer<MemoryRecordsBuilder> records) {
        records.accept(m);
        return m.build().buffer();
    }

    static void entries() {
        Compression[] all = {Compression.NONE, Compression.gzip().build(), Compression.snappy().build(), Compression.lz4().build(), Compression.zstd().build()};
        for (Compression c : all) {
            entry("v2-" + c.type().name + "-small", build(builder((byte) 2, c, TimestampType.CREATE_TIME, 0), m -> small(m, true)));
            if (c.type() != CompressionType.NONE)
                entry("v2-" + c.type().name + "-large", build(builder((byte) 2, c, TimestampType.CREATE_TIME, 100), Golden::large));
            for (byte magic = 0; magic < 2 && c.type() != CompressionType.ZSTD; magic++) {
                entry("v" + magic + "-" + c.type().name + "-small", build(builder(magic, c, TimestampType.CREATE_TIME, 1000), m -> small(m, false)));
                if (c.type() != CompressionType.NONE)
                    entry("v" + magic + "-" + c.type().name + "-large", build(builder(magic, c, TimestampType.CREATE_TIME, 0), Golden::large));
            }
        }
        entry("v1-gzip-append-time", build(builder((byte) 1, all[1], TimestampType.LOG_APPEND_TIME, 10), m -> small(m, false)));
        entry("v2-lz4-append-time", build(builder((byte) 2, all[3], TimestampType.LOG_APPEND_TIME, 10), m -> small(m, true)));
        entry("v2-none-append-time", build(builder((byte) 2, all[0], TimestampType.LOG_APPEND_TIME, 10), m -> small(m, true)));
        entry("v2-gzip-9", build(builder((byte) 2, Compression.gzip().level(9).build(), TimestampType.CREATE_TIME, 0), m -> small(m, true)));
        entry("v2-lz4-17", build(builder((byte) 2, Compression.lz4().level(17).build(), TimestampType.CREATE_TIME, 0), Golden::large));
        entry("v2-zstd-22", build(builder((byte) 2, Compression.zstd().level(22).build(), TimestampType.CREATE_TIME, 0), Golden::large));
        entry("v2-none-no-timestamp", build(builder((byte) 2, all[0], TimestampType.CREATE_TIME, 0), m -> m.append(-1L, b("k"), b("v"))));
        entry("v2-none-gaps", build(builder((byte) 2, all[0], TimestampType.CREATE_TIME, 50), m -> {
            m.appendWithOffset(52, T, b("a"), b("1"));
            m.appendWithOffset(57, T + 1, b("b"), b("2"));
            m.overrideLastOffset(60);
        }));
        MemoryRecordsBuilder idempotent = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), (byte) 2, all[0], TimestampType.CREATE_TIME, 7, T, 4242L, (short) 3, 2147483646, true, 9);
        entry("v2-none-transactional", build(idempotent, m -> small(m, false)));
        MemoryRecordsBuilder cleaned = new MemoryRecordsBuilder(new org.apache.kafka.common.utils.ByteBufferOutputStream(1 << 16), (byte) 2, all[0], TimestampType.CREATE_TIME, 30, -1L, 4242L, (short) 3, 5,
            true, false, 9, 1 << 16, T - 1234);
        ByteBuffer horizon = build(cleaned, m -> small(m, true));
        entry("v2-none-delete-horizon", horizon);
        ByteBuffer emptied = ByteBuffer.allocate(61);
        DefaultRecordBatch.writeEmptyHeader(emptied, (byte) 2, 4242L, (short) 3, 5, 30, 33, 9, TimestampType.CREATE_TIME, T + 500, true, false);
        emptied.flip();
        entry("emptied-delete-horizon", emptied);
        for (ControlRecordType t : new ControlRecordType[]{ControlRecordType.ABORT, ControlRecordType.COMMIT})
            entry("marker-" + t.name().toLowerCase(), MemoryRecords.withEndTransactionMarker(77L, T, 6, 4242L, (short) 3, new EndTransactionMarker(t, 11)).buffer());
    }

    static ByteBuffer patch(ByteBuffer batch, Consumer<ByteBuffer> change) {
        ByteBuffer copy = ByteBuffer.allocate(batch.remaining());
        copy.put(batch.duplicate()).flip();
        change.accept(copy);
        CRC32C crc = new CRC32C();
        crc.update(copy.array(), 21, copy.limit() - 21);
        copy.putInt(17, (int) crc.getValue());
        return copy;
    }

    static void validate(String name, ByteBuffer batch, Compression target, boolean compacted, TimestampType type, long before, long after) {
        out.println("case " + name);
        out.println("target=" + (target == null ? "producer" : target.type().name));
        out.println("compacted=" + compacted);
        out.println("append-time=" + (type == TimestampType.LOG_APPEND_TIME));
        out.println("before=" + before);
        out.println("after=" + after);
        out.println("in=" + base64(batch));
        ByteBuffer copy = ByteBuffer.allocate(batch.remaining());
        copy.put(batch.duplicate()).flip();
        MemoryRecords records = MemoryRecords.readableRecords(copy);
        CompressionType source = records.batches().iterator().next().compressionType();
        if (target == null) target = Compression.of(source).build();
        Time time = (Time) java.lang.reflect.Proxy.newProxyInstance(Golden.class.getClassLoader(), new Class<?>[]{Time.class}, (p, m, a) -> T + 10);
        LogValidator.MetricsRecorder metrics = (LogValidator.MetricsRecorder) java.lang.reflect.Proxy.newProxyInstance(Golden.class.getClassLoader(),
            new Class<?>[]{LogValidator.MetricsRecorder.class}, (p, m, a) -> null);
        try {
            LogValidator.ValidationResult r = new LogValidator(records, new TopicPartition("topic", 3), time, source, target, compacted, (byte) 2,
                type, before, after, 8, AppendOrigin.CLIENT, MetadataVersion.IBP_3_9_IV0)
                .validateMessagesAndAssignOffsets(PrimitiveRef.ofLong(5000), metrics, BufferSupplier.NO_CACHING);
            out.println("out=" + base64(r.validatedRecords.buffer()));
            out.println("max-timestamp=" + r.maxTimestampMs);
            out.println("rebuilt=" + r.messageSizeMaybeChanged);
        } catch (RecordValidationException e) {
            out.println("invalid=" + e.invalidException().getClass().getSimpleName());
            out.println("message=" + e.invalidException().getMessage());
            e.recordErrors().forEach(x -> out.println("record-error=" + x.batchIndex + " " + x.message));
        } catch (RuntimeException e) {
            out.println("error=" + e.getClass().getSimpleName());
        }
    }

    static void validations() {
        long max = Long.MAX_VALUE;
        TimestampType create = TimestampType.CREATE_TIME, append = TimestampType.LOG_APPEND_TIME;
        Compression none = Compression.NONE, gzip = Compression.gzip().build();
        ByteBuffer plain = build(builder((byte) 2, none, create, 0), m -> small(m, true));
        for (Compression c : new Compression[]{none, gzip, Compression.snappy().build(), Compression.lz4().build(), Compression.zstd().build()}) {
            String n = c.type().name;
            ByteBuffer in = build(builder((byte) 2, c, create, 0), m -> small(m, true));
            validate(n + " in place", in, null, false, create, max, max);
            validate(n + " to none", in, none, false, create, max, max);
            validate(n + " append time", in, null, false, append, max, max);
            validate(n + " append time to none", in, none, false, append, max, max);
            validate(n + " compacted", in, null, true, create, max, max);
            validate(n + " too new", in, null, false, create, max, 400);
            validate(n + " too old", in, null, false, create, 12, max);
            validate(n + " too old and compacted", in, null, true, create, 0, 0);
            validate(n + " wrong max timestamp", patch(in, b -> b.putLong(35, T + 100000)), null, false, create, max, max);
            validate(n + " negative max timestamp", patch(in, b -> b.putLong(35, -5)), null, false, create, max, max);
            validate(n + " count too large", patch(in, b -> b.putInt(57, 5).putInt(23, 4)), null, false, create, max, max);
            validate(n + " count too small", patch(in, b -> b.putInt(57, 3).putInt(23, 2)), null, false, create, max, max);
            validate(n + " count and range differ", patch(in, b -> b.putInt(57, 3)), null, false, create, max, max);
            validate(n + " no records", patch(in, b -> b.putInt(57, 0).putInt(23, -1)), null, false, create, max, max);
            validate(n + " control", patch(in, b -> b.putShort(21, (short) (b.getShort(21) | 0x20))), null, false, create, max, max);
            validate(n + " no sequence", patch(in, b -> b.putLong(43, 5).putShort(51, (short) 0)), null, false, create, max, max);
            validate(n + " producer", patch(in, b -> b.putLong(43, 5).putShort(51, (short) 1).putInt(53, 9)), none, false, create, max, max);
            validate(n + " unused bits", patch(in, b -> b.putShort(21, (short) (b.getShort(21) | 0x7f80)).putLong(35, 1)), null, false, create, max, max);
            ByteBuffer gaps = build(builder((byte) 2, c, create, 0), m -> {
                m.appendWithOffset(0, T, b("a"), b("1"));
                m.appendWithOffset(2, T + 1, b("b"), b("2"));
                m.appendWithOffset(9, T + 2, b("c"), b("3"));
            });
            validate(n + " gaps", patch(gaps, b -> b.putInt(23, 2)), null, false, create, max, max);
            ByteBuffer marked = build(builder((byte) 2, c, append, 0), m -> small(m, false));
            validate(n + " marked append time", marked, null, false, create, max, max);
            validate(n + " marked append time, topic too", marked, null, false, append, max, max);
            validate(n + " marked append time, too new", marked, null, false, create, max, 100);
            validate(n + " marked append time, no timestamp", patch(marked, b -> b.putLong(35, -1)), null, false, create, max, max);
            ByteBuffer untimed = build(builder((byte) 2, c, create, 0), m -> m.append(-1L, b("k"), b("v")));
            validate(n + " no timestamp", untimed, null, false, create, 0, 0);
        }
        for (int cut = 1; cut < 12; cut += 3) {
            int n = plain.remaining() - cut;
            validate("none cut " + cut, patch(plain.duplicate().limit(n).slice(), b -> b.putInt(8, n - 12)), null, false, create, max, max);
        }
        for (int at = 61; at < plain.remaining(); at++) {
            int i = at;
            validate("none changed " + at, patch(plain, b -> b.put(i, (byte) (b.get(i) + 2))), null, false, create, max, max);
        }
    }

    public static void main(String[] args) throws Exception {
        out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], "entries.txt")));
        entries();
        out.close();
        out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0], "validate.txt")));
        validations();
        out.close();
    }
}
