import com.fasterxml.jackson.databind.JsonNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ConsumerGroupHeartbeatResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.MemoryRecords;

/**
 * Writes what Apache Kafka knows as lines:
 *
 *   Error CODE NAME RETRIABLE MESSAGE
 *   Api KEY VERSION CLUSTER-ACTION REQUEST-HEADER-VERSION RESPONSE-HEADER-VERSION
 *   Request|Response KEY VERSION BYTES-IN-HEX THE-SAME-IN-JSON
 *
 * The values are random but the same in every run. Kafka's schemas say what is in a version, Kafka's message classes
 * read the bytes, write them again (they must be the same) and turn them into JSON.
 *
 *   java -cp "libs/*" Vectors.java | gzip -9n > ../testdata/kafka-3.9.1.vectors.gz
 *
 * where libs has the jars of kafka-clients 3.9.1, jackson-databind and slf4j-api.
 */
public class Vectors {
    enum Mode { FULL, NULL, EMPTY }

    static final Random random = new Random(39);

    public static void main(String[] args) throws Exception {
        for (Errors e : Errors.values()) {
            System.out.println(String.join(" ", "Error", "" + e.code(), e.name(),
                "" + (e.exception() instanceof RetriableException), e == Errors.NONE ? "" : e.message()));
        }
        for (ApiMessageType api : ApiMessageType.values()) {
            if (!api.listeners().contains(ApiMessageType.ListenerType.ZK_BROKER)) {
                continue;
            }
            for (short v = api.lowestSupportedVersion(); v <= api.highestSupportedVersion(true); v++) {
                System.out.println(String.join(" ", "Api", "" + api.apiKey(), "" + v,
                    "" + ApiKeys.forId(api.apiKey()).clusterAction,
                    "" + api.requestHeaderVersion(v), "" + api.responseHeaderVersion(v)));
                for (Mode mode : Mode.values()) {
                    line("Request", api, api.newRequest(), api.requestSchemas()[v], v, mode);
                    line("Response", api, api.newResponse(), api.responseSchemas()[v], v, mode);
                }
            }
        }
    }

    static void line(String kind, ApiMessageType api, ApiMessage message, Schema schema, short v, Mode mode) throws Exception {
        ByteBuffer buffer = message instanceof ConsumerGroupHeartbeatResponseData
            ? MessageUtil.toByteBuffer(heartbeat(mode), v) : bytes(schema, mode);
        message.read(new ByteBufferAccessor(buffer.duplicate()), v);
        ByteBuffer again = MessageUtil.toByteBuffer(message, v);
        if (!again.equals(buffer)) {
            throw new IllegalStateException(api + " v" + v + " " + mode + " is not read back");
        }
        String name = message.getClass().getName();
        JsonNode json = (JsonNode) Class.forName(name + "JsonConverter")
            .getMethod("write", message.getClass(), short.class).invoke(null, message, v);
        System.out.println(String.join(" ", kind, "" + api.apiKey(), "" + v,
            HexFormat.of().formatHex(buffer.array()), json.toString()));
    }

    static ByteBuffer bytes(Schema schema, Mode mode) {
        Struct struct = struct(schema, mode);
        ByteBuffer buffer = ByteBuffer.allocate(schema.sizeOf(struct));
        schema.write(buffer, struct);
        buffer.flip();
        return buffer;
    }

    /** The schema of this response lacks the marker before its nullable struct, so it is built by hand. */
    static ConsumerGroupHeartbeatResponseData heartbeat(Mode mode) {
        ConsumerGroupHeartbeatResponseData data = new ConsumerGroupHeartbeatResponseData()
            .setThrottleTimeMs(random.nextInt()).setMemberEpoch(random.nextInt()).setHeartbeatIntervalMs(random.nextInt());
        if (mode == Mode.NULL) {
            return data;
        }
        data.setMemberId("m").setErrorMessage("").setAssignment(new ConsumerGroupHeartbeatResponseData.Assignment());
        if (mode == Mode.FULL) {
            data.assignment().topicPartitions().add(new ConsumerGroupHeartbeatResponseData.TopicPartitions()
                .setTopicId(new Uuid(random.nextLong(), 7)).setPartitions(List.of(random.nextInt(), 4)));
        }
        return data;
    }

    static Struct struct(Schema schema, Mode mode) {
        Struct struct = new Struct(schema);
        for (BoundField field : schema.fields()) {
            struct.set(field, value(field.def.type, mode));
        }
        return struct;
    }

    static Object value(Type type, Mode mode) {
        if (type instanceof TaggedFields tagged) {
            Map<Integer, Object> values = new TreeMap<>();
            if (mode == Mode.FULL) {
                fields(tagged).forEach((tag, field) -> values.put(tag, notDefault(field)));
            }
            return values;
        }
        if (type instanceof Schema schema) {
            return struct(schema, mode);
        }
        if (type.isNullable() && mode == Mode.NULL) {
            return null;
        }
        if (type.arrayElementType().isPresent()) {
            List<Object> list = new ArrayList<>();
            for (int n = mode == Mode.EMPTY ? 0 : 1 + random.nextInt(2); n > 0; n--) {
                list.add(value(type.arrayElementType().get(), mode));
            }
            return list.toArray();
        }
        String name = ((Type.DocumentedType) type).typeName();
        if (name.contains("RECORDS")) {
            return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes(mode == Mode.EMPTY ? 0 : 30)));
        }
        if (name.contains("BYTES")) {
            return ByteBuffer.wrap(bytes(mode == Mode.EMPTY ? 0 : 1 + random.nextInt(9)));
        }
        if (name.contains("STRING")) {
            return mode == Mode.EMPTY ? "" : Integer.toString(random.nextInt(1 << 20), 36) + "\u00fc";
        }
        return switch (name) {
            case "BOOLEAN" -> random.nextBoolean();
            case "INT8" -> (byte) random.nextInt();
            case "INT16" -> (short) random.nextInt();
            case "UINT16" -> random.nextInt(1 << 16);
            case "INT32" -> random.nextInt();
            case "INT64" -> random.nextLong();
            case "FLOAT64" -> random.nextDouble();
            case "UUID" -> new Uuid(random.nextLong(), random.nextLong());
            default -> throw new IllegalStateException(name);
        };
    }

    @SuppressWarnings("unchecked")
    static Map<Integer, Field> fields(TaggedFields tagged) {
        try {
            java.lang.reflect.Field fields = TaggedFields.class.getDeclaredField("fields");
            fields.setAccessible(true);
            return (Map<Integer, Field>) fields.get(tagged);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A tagged field with its default is not written by the message classes, so it must have another value. */
    static Object notDefault(Field field) {
        Object value = value(field.type, Mode.FULL);
        return value instanceof Boolean ? Boolean.TRUE : value;
    }

    static byte[] bytes(int n) {
        byte[] b = new byte[n];
        random.nextBytes(b);
        return b;
    }
}
