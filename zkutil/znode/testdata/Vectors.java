// Prints the bytes and verdicts of Apache Kafka 3.9.1's own znode encoders and decoders, which the Go tests compare with.
//
//	java -cp 'libs/*' Vectors.java encode > encode.txt
//	cut -f2- decode.txt | java -cp 'libs/*' Vectors.java decode > new.txt
//
// libs: the jars of kafka_2.13-3.9.1 and what it depends on.
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.feature.*;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.resource.*;
import org.apache.kafka.common.security.auth.*;
import org.apache.kafka.common.security.token.delegation.TokenInformation;
import org.apache.kafka.metadata.LeaderRecoveryState;
import org.apache.kafka.security.authorizer.AclEntry;
import org.apache.kafka.server.common.ProducerIdsBlock;
import scala.jdk.javaapi.CollectionConverters;

public class Vectors {
    static void out(String kind, byte[] json) {
        System.out.println(kind + "\t" + new String(json, StandardCharsets.UTF_8));
    }

    static <T> scala.collection.immutable.List<T> list(List<T> l) {
        return CollectionConverters.asScala(l).toList();
    }

    static scala.collection.immutable.List<Object> ints(int... v) {
        List<Object> l = new ArrayList<>();
        for (int i : v) l.add(i);
        return list(l);
    }

    static kafka.cluster.EndPoint ep(String l, String host, int port, SecurityProtocol p) {
        return new kafka.cluster.EndPoint(host, port, new ListenerName(l), p);
    }

    static void broker(int version, String rack, Features<SupportedVersionRange> f, kafka.cluster.EndPoint... eps) {
        kafka.cluster.Broker b = new kafka.cluster.Broker(1, list(Arrays.asList(eps)), scala.Option.apply(rack), f);
        out("broker", kafka.zk.BrokerIdZNode$.MODULE$.encode(new kafka.zk.BrokerInfo(b, version, version == 5 ? -1 : 9999)));
    }

    static void topic(int n, int reassigning, Uuid id) {
        scala.collection.mutable.HashMap<TopicPartition, kafka.controller.ReplicaAssignment> m = new scala.collection.mutable.HashMap<>();
        for (int p = 0; p < n; p++) {
            boolean r = p < reassigning;
            m.put(new TopicPartition("t", p), new kafka.controller.ReplicaAssignment(
                r ? ints(4, 5, 1 + p % 3, 2) : ints(1 + p % 3, 1 + (p + 1) % 3), r ? ints(4, 5) : ints(), r ? ints(1 + p % 3, 2) : ints()));
        }
        out("topic", kafka.zk.TopicZNode$.MODULE$.encode(scala.Option.apply(id), m));
    }

    static void state(int leader, int epoch, int cepoch, LeaderRecoveryState s, int... isr) {
        out("state", kafka.zk.TopicPartitionStateZNode$.MODULE$.encode(new kafka.controller.LeaderIsrAndControllerEpoch(
            kafka.api.LeaderAndIsr.apply(leader, epoch, ints(isr), s, 0), cepoch)));
    }

    static void config(String... kv) {
        Properties p = new Properties();
        Map<String, String> sorted = new TreeMap<>();
        for (int i = 0; i < kv.length; i += 2) sorted.put(kv[i], kv[i + 1]);
        sorted.forEach(p::setProperty);
        out("config", kafka.zk.ConfigEntityZNode$.MODULE$.encode(p));
    }

    static <T> scala.collection.immutable.Set<T> set(List<T> l) {
        return list(l).toSet();
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static void encode() {
        out("controller", kafka.zk.ControllerZNode$.MODULE$.encode(1, 1731000000000L, -1));
        out("controller", kafka.zk.ControllerZNode$.MODULE$.encode(2147483647, 0L, 12));
        out("cluster", kafka.zk.ClusterIdZNode$.MODULE$.toJson("kF2pQm0sTzW3u9cYxR1b5g"));
        Features<SupportedVersionRange> none = Features.emptySupportedFeatures();
        broker(5, null, none, ep("PLAINTEXT", "h1", 9092, SecurityProtocol.PLAINTEXT));
        broker(5, "r1", none, ep("PLAINTEXT", "h1", 9092, SecurityProtocol.PLAINTEXT), ep("SSL", "h1", 9093, SecurityProtocol.SSL));
        broker(5, "r\"1\\\u00e9\u2028</", none, ep("CLIENT", "::1", 9093, SecurityProtocol.SASL_SSL));
        broker(5, null, none, ep("A", "h1", 1, SecurityProtocol.SSL), ep("EXTERNAL", "h2", 2, SecurityProtocol.SASL_PLAINTEXT),
            ep("INTERNAL", "h3", 3, SecurityProtocol.PLAINTEXT), ep("REPLICATION", "h4", 4, SecurityProtocol.PLAINTEXT),
            ep("CONTROL", "h5", 5, SecurityProtocol.SASL_SSL), ep("B", "h6", 6, SecurityProtocol.SSL));
        broker(4, "r1", none, ep("PLAINTEXT", "h1", 9092, SecurityProtocol.PLAINTEXT));
        broker(4, null, none, ep("SSL", "h1", 9092, SecurityProtocol.SSL));
        broker(2, "r1", none, ep("PLAINTEXT", "h1", 9092, SecurityProtocol.PLAINTEXT));
        Map<String, SupportedVersionRange> fs = new TreeMap<>();
        fs.put("f1", new SupportedVersionRange((short) 1, (short) 3));
        broker(5, null, Features.supportedFeatures(fs), ep("PLAINTEXT", "h1", 9092, SecurityProtocol.PLAINTEXT));
        Uuid id = Uuid.fromString("b8tRS7h4TJ2Vt43Dp85v2A");
        for (int n : new int[] {0, 1, 3, 4, 5, 10, 11, 12, 13, 23, 24, 25, 50, 100, 500, 1000}) topic(n, 0, id);
        topic(3, 2, id);
        topic(100, 50, id);
        topic(2, 1, null);
        state(1, 12, 7, LeaderRecoveryState.RECOVERED, 1, 2);
        state(-1, 0, 1, LeaderRecoveryState.RECOVERED);
        state(3, 5, 2, LeaderRecoveryState.RECOVERING, 3);
        config();
        config("retention.ms", "1000");
        config("cleanup.policy", "compact", "compression.type", "producer", "segment.bytes", "104857600");
        config("SCRAM-SHA-256", "salt=YQ==,stored_key=Yg==,server_key=Yw==,iterations=4096", "producer_byte_rate", "1024", "quote", "a\"b\\c\u0001\t\u00e9\u007f");
        config("cleanup.policy", "delete", "compression.type", "lz4", "delete.retention.ms", "1", "file.delete.delay.ms", "2", "flush.messages", "3",
            "flush.ms", "4", "index.interval.bytes", "5", "max.message.bytes", "6", "min.insync.replicas", "7", "retention.ms", "8", "retention.bytes", "9",
            "segment.bytes", "10", "segment.ms", "11", "segment.jitter.ms", "12", "preallocate", "true", "leader.replication.throttled.replicas", "*");
        out("configchange", kafka.zk.ConfigEntityChangeNotificationSequenceZNode$.MODULE$.encode("topics/my-topic"));
        out("configchange", kafka.zk.ConfigEntityChangeNotificationSequenceZNode$.MODULE$.encode("users/<default>/clients/a%2Fb"));
        List<TopicPartition> tps = Arrays.asList(new TopicPartition("t", 0), new TopicPartition("u", 3));
        out("isrchange", kafka.zk.IsrChangeNotificationSequenceZNode$.MODULE$.encode(set(tps)));
        out("logdir", kafka.zk.LogDirEventNotificationSequenceZNode$.MODULE$.encode(3));
        out("preferred", kafka.zk.PreferredReplicaElectionZNode$.MODULE$.encode(set(tps)));
        scala.collection.mutable.LinkedHashMap<TopicPartition, scala.collection.Seq<Object>> re = new scala.collection.mutable.LinkedHashMap<>();
        re.put(tps.get(0), (scala.collection.Seq) ints(4, 5, 6));
        re.put(tps.get(1), (scala.collection.Seq) ints());
        out("reassign", kafka.zk.ReassignPartitionsZNode$.MODULE$.encode(re));
        scala.collection.mutable.HashMap<String, Object> ff = new scala.collection.mutable.HashMap<>();
        out("feature", kafka.zk.FeatureZNode$.MODULE$.encode(new kafka.zk.FeatureZNode(2, kafka.zk.FeatureZNodeStatus.Enabled$.MODULE$, ff)));
        out("feature", kafka.zk.FeatureZNode$.MODULE$.encode(new kafka.zk.FeatureZNode(1, kafka.zk.FeatureZNodeStatus.Disabled$.MODULE$, ff)));
        ff.put("metadata.version", (short) 5);
        ff.put("a", (short) 1);
        out("feature", kafka.zk.FeatureZNode$.MODULE$.encode(new kafka.zk.FeatureZNode(2, kafka.zk.FeatureZNodeStatus.Enabled$.MODULE$, ff)));
        out("feature", kafka.zk.FeatureZNode$.MODULE$.encode(new kafka.zk.FeatureZNode(1, kafka.zk.FeatureZNodeStatus.Enabled$.MODULE$, ff)));
        out("producer", kafka.zk.ProducerIdBlockZNode$.MODULE$.generateProducerIdBlockJson(new ProducerIdsBlock(2, 1000, 1000)));
        KafkaPrincipal alice = new KafkaPrincipal("User", "alice"), bob = new KafkaPrincipal("User", "b o*b");
        out("token", kafka.zk.DelegationTokenInfoZNode$.MODULE$.encode(new TokenInformation("tid", alice, bob, Arrays.asList(bob, alice), 1731000000000L, 1731604800000L, 1731086400000L)));
        out("token", kafka.zk.DelegationTokenInfoZNode$.MODULE$.encode(new TokenInformation("tid", alice, alice, Arrays.asList(), 1, 2, 3)));
        AclEntry e1 = new AclEntry(new AccessControlEntry("User:alice", "*", AclOperation.READ, AclPermissionType.ALLOW));
        AclEntry e2 = new AclEntry(new AccessControlEntry("User:*", "10.0.0.1", AclOperation.IDEMPOTENT_WRITE, AclPermissionType.DENY));
        out("acl", kafka.zk.ResourceZNode$.MODULE$.encode(set(Arrays.asList(e1))));
        for (AclOperation op : AclOperation.values())
            if (op != AclOperation.ANY && op != AclOperation.UNKNOWN)
                out("acl", kafka.zk.ResourceZNode$.MODULE$.encode(set(Arrays.asList(new AclEntry(new AccessControlEntry("User:x", "h", op, AclPermissionType.DENY))))));
        out("acl", kafka.zk.ResourceZNode$.MODULE$.encode(set(Arrays.asList(e1, e2))));
        out("aclchange", kafka.zk.LiteralAclChangeStore$.MODULE$.encode(new ResourcePattern(ResourceType.TOPIC, "my:topic", PatternType.LITERAL)));
        out("aclchange", kafka.zk.LiteralAclChangeStore$.MODULE$.encode(new ResourcePattern(ResourceType.TRANSACTIONAL_ID, "*", PatternType.LITERAL)));
        out("extaclchange", kafka.zk.ExtendedAclChangeStore$.MODULE$.encode(new ResourcePattern(ResourceType.GROUP, "my-", PatternType.PREFIXED)));
        out("migration", kafka.zk.MigrationZNode$.MODULE$.encode(org.apache.kafka.metadata.migration.ZkMigrationLeadershipState.EMPTY));
        for (boolean secure : new boolean[] {false, true})
            for (String p : new String[] {"/consumers", "/consumers/g", "/brokers/ids/1", "/config/users", "/config/users/x", "/config/usersfoo", "/config/brokers/1",
                "/config/topics/t", "/delegation_token/tokens/x", "/delegation_token", "/controller", "/kafka-acl/Topic/t", "/config"}) {
                StringBuilder b = new StringBuilder(secure + " " + p);
                for (org.apache.zookeeper.data.ACL a : CollectionConverters.asJava(kafka.zk.ZkData$.MODULE$.defaultAcls(secure, p)))
                    b.append(" ").append(a.getPerms()).append(":").append(a.getId().getScheme()).append(":").append(a.getId().getId());
                out("defaultacls", b.toString().getBytes(StandardCharsets.UTF_8));
            }
        for (String p : CollectionConverters.asJava(kafka.zk.ZkData$.MODULE$.PersistentZkPaths())) out("persistent", p.getBytes(StandardCharsets.UTF_8));
        for (String p : CollectionConverters.asJava(kafka.zk.ZkData$.MODULE$.SecureRootPaths())) out("secure", p.getBytes(StandardCharsets.UTF_8));
        for (String s : new String[] {"plain", "a b", "a*b", "a+b", "a/b", "\u00e9\u7f16", "~-._", "%", "<default>", "\ud83d\ude00", "!'()", "User:alice"})
            out("sanitize", (s + "\t" + org.apache.kafka.common.utils.Sanitizer.sanitize(s)).getBytes(StandardCharsets.UTF_8));
    }

    static Object decode(String kind, byte[] in) throws Exception {
        org.apache.zookeeper.data.Stat stat = new org.apache.zookeeper.data.Stat();
        switch (kind) {
            case "controller": return kafka.zk.ControllerZNode$.MODULE$.decodeController(in, 3);
            case "cluster": return kafka.zk.ClusterIdZNode$.MODULE$.fromJson(in);
            case "epoch": return kafka.zk.ControllerEpochZNode$.MODULE$.decode(in);
            case "broker": return kafka.zk.BrokerIdZNode$.MODULE$.decode(1, in);
            case "topic": return kafka.zk.TopicZNode$.MODULE$.decode("t", in);
            case "state": return kafka.zk.TopicPartitionStateZNode$.MODULE$.decode(in, stat).get();
            case "config": return kafka.zk.ConfigEntityZNode$.MODULE$.decode(in);
            case "isrchange": return kafka.zk.IsrChangeNotificationSequenceZNode$.MODULE$.decode(in);
            case "logdir": return kafka.zk.LogDirEventNotificationSequenceZNode$.MODULE$.decode(in).get();
            case "preferred": return kafka.zk.PreferredReplicaElectionZNode$.MODULE$.decode(in);
            case "reassign": {
                scala.util.Either<?, ?> e = kafka.zk.ReassignPartitionsZNode$.MODULE$.decode(in);
                if (e.isLeft()) throw new IllegalArgumentException();
                return e;
            }
            case "feature": return kafka.zk.FeatureZNode$.MODULE$.decode(in);
            case "producer": return kafka.zk.ProducerIdBlockZNode$.MODULE$.parseProducerIdBlockData(in);
            case "token": return kafka.zk.DelegationTokenInfoZNode$.MODULE$.decode(in).get();
            case "acl": return kafka.zk.ResourceZNode$.MODULE$.decode(in, stat);
            case "aclchange": return kafka.zk.LiteralAclChangeStore$.MODULE$.decode(in);
            case "extaclchange": return kafka.zk.ExtendedAclChangeStore$.MODULE$.decode(in);
            default: throw new Exception("unknown kind " + kind);
        }
    }

    public static void main(String[] args) {
        if (args[0].equals("encode")) {
            encode();
            return;
        }
        Scanner in = new Scanner(System.in, "UTF-8");
        while (in.hasNextLine()) {
            String line = in.nextLine();
            int tab = line.indexOf('\t');
            if (tab < 0 || line.startsWith("#")) continue;
            String verdict;
            try {
                decode(line.substring(0, tab), line.substring(tab + 1).getBytes(StandardCharsets.UTF_8));
                verdict = "ok";
            } catch (Throwable t) {
                verdict = "error";
                if (System.getenv("WHY") != null) System.err.println(line + " => " + t);
            }
            System.out.println(verdict + "\t" + line);
        }
    }
}
