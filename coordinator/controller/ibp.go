package controller

import (
	"fmt"
	"strconv"
	"strings"
)

// IBP is a value of inter.broker.protocol.version: major, minor, patch and interim version, three decimal digits each.
// The controller chooses the versions of its requests and the formats of some znodes by it, without asking the
// receiver. The zero value is below every release.
type IBP int64

// IBPs at which something the controller does changes.
const (
	ibp090   IBP = 9_000_000
	ibp010_1 IBP = 10_000_001
	ibp01012 IBP = 10_001_002
	ibp0102  IBP = 10_002_000
	ibp0110  IBP = 11_000_000
	ibp0111  IBP = 11_000_001
	ibp10    IBP = 1_000_000_000
	ibp11    IBP = 1_001_000_000
	ibp20_0  IBP = 2_000_000_000
	ibp20_1  IBP = 2_000_000_001
	ibp21_1  IBP = 2_001_000_001
	ibp21_2  IBP = 2_001_000_002
	ibp22_1  IBP = 2_002_000_001
	ibp23_1  IBP = 2_003_000_001
	ibp22    IBP = 2_002_000_000
	ibp24_0  IBP = 2_004_000_000
	ibp24_1  IBP = 2_004_000_001
	ibp26    IBP = 2_006_000_000
	ibp27    IBP = 2_007_000_000
	ibp27_1  IBP = 2_007_000_001
	ibp27_2  IBP = 2_007_000_002
	ibp28_0  IBP = 2_008_000_000
	ibp28_1  IBP = 2_008_000_001
	ibp30_0  IBP = 3_000_000_000
	ibp30_1  IBP = 3_000_000_001
	ibp31    IBP = 3_001_000_000
	ibp32    IBP = 3_002_000_000
	ibp33    IBP = 3_003_000_000
	ibp34    IBP = 3_004_000_000
	ibp35_0  IBP = 3_005_000_000
	ibp35_1  IBP = 3_005_000_001
	ibp37_4  IBP = 3_007_000_004

	// DefaultIBP is 3.9-IV0, the default of Apache Kafka 3.9.
	DefaultIBP IBP = 3_009_000_000

	latestInterim = 999
)

// ParseIBP parses the forms Kafka accepts: "3.9-IV0", "3.9", "0.10.2-IV0", "0.9.0", "2.4.1". A release without "-IV"
// means its last interim version.
func ParseIBP(s string) (IBP, error) {
	release, interim, hasIV := strings.Cut(strings.TrimSpace(s), "-IV")
	iv := latestInterim
	if hasIV {
		n, err := strconv.ParseUint(interim, 10, 8)
		if err != nil {
			return 0, fmt.Errorf("inter.broker.protocol.version %q: interim version is not a number", s)
		}
		iv = int(n)
	}
	parts := strings.Split(release, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return 0, fmt.Errorf("inter.broker.protocol.version %q: not a release", s)
	}
	var numbers [4]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, fmt.Errorf("inter.broker.protocol.version %q: not a release", s)
		}
		numbers[i] = int(n)
	}
	// From 1.0 on the third number is a bug-fix release, which shares the protocol of its minor release.
	if numbers[0] > 0 {
		numbers[2] = 0
	}
	return IBP(((numbers[0]*1000+numbers[1])*1000+numbers[2])*1000 + iv), nil
}

// AtLeast says whether v is w or newer.
func (v IBP) AtLeast(w IBP) bool { return v >= w }

// String returns the form with "-IV" unless the value stands for the last interim version of its release.
func (v IBP) String() string {
	major, minor, patch, iv := v/1e9, v/1e6%1000, v/1e3%1000, v%1000
	s := fmt.Sprintf("%d.%d", major, minor)
	if major == 0 {
		s += fmt.Sprintf(".%d", patch)
	}
	if iv != latestInterim {
		s += fmt.Sprintf("-IV%d", iv)
	}
	return s
}

type versionStep struct {
	from    IBP
	version int16
}

func (v IBP) choose(steps []versionStep) int16 {
	for _, s := range steps {
		if v.AtLeast(s.from) {
			return s.version
		}
	}
	return 0
}

// LeaderAndIsrVersion returns the version of LeaderAndIsr requests at this IBP.
func (v IBP) LeaderAndIsrVersion() int16 {
	return v.choose([]versionStep{{ibp34, 7}, {ibp32, 6}, {ibp28_1, 5}, {ibp24_1, 4}, {ibp24_0, 3}, {ibp22, 2}, {ibp10, 1}})
}

// UpdateMetadataVersion returns the version of UpdateMetadata requests at this IBP.
func (v IBP) UpdateMetadataVersion() int16 {
	return v.choose([]versionStep{
		{ibp34, 8}, {ibp28_1, 7}, {ibp24_1, 6}, {ibp22, 5}, {ibp10, 4}, {ibp0102, 3}, {ibp010_1, 2}, {ibp090, 1},
	})
}

// StopReplicaVersion returns the version of StopReplica requests at this IBP.
func (v IBP) StopReplicaVersion() int16 {
	return v.choose([]versionStep{{ibp34, 4}, {ibp26, 3}, {ibp24_1, 2}, {ibp22, 1}})
}

// ControlledShutdownVersion returns the version of the ControlledShutdown requests a broker sends at this IBP.
func (v IBP) ControlledShutdownVersion() int16 {
	return v.choose([]versionStep{{ibp24_1, 3}, {ibp22, 2}, {ibp090, 1}})
}

// FetchVersion returns the version of the Fetch requests a follower sends at this IBP, 4 at the oldest: below, records have forms that this broker doesn't send.
func (v IBP) FetchVersion() int16 {
	return v.choose([]versionStep{
		{DefaultIBP, 17}, {ibp37_4, 16}, {ibp35_1, 15}, {ibp35_0, 14}, {ibp31, 13}, {ibp27_1, 12}, {ibp23_1, 11}, {ibp21_2, 10}, {ibp20_1, 8}, {ibp11, 7}, {ibp0111, 5},
		{0, 4},
	})
}

// ListOffsetsVersion returns the version of the ListOffsets requests a follower sends at this IBP.
func (v IBP) ListOffsetsVersion() int16 {
	return v.choose([]versionStep{
		{DefaultIBP, 9}, {ibp35_0, 8}, {ibp30_1, 7}, {ibp28_0, 6}, {ibp22_1, 5}, {ibp21_1, 4}, {ibp20_1, 3}, {ibp0110, 2}, {ibp01012, 1},
	})
}

// OffsetForLeaderEpochVersion returns the version of the OffsetForLeaderEpoch requests a follower sends at this IBP.
func (v IBP) OffsetForLeaderEpochVersion() int16 {
	return v.choose([]versionStep{{ibp28_0, 4}, {ibp23_1, 3}, {ibp21_1, 2}, {ibp20_0, 1}})
}

// AlterPartition says whether leaders ask the controller for changes of ISRs (2.7-IV2), and don't write them into ZooKeeper.
func (v IBP) AlterPartition() bool { return v.AtLeast(ibp27_2) }

// AllocateProducerIDs says whether brokers ask the controller for blocks of producer ids (3.0-IV0), and don't take them in ZooKeeper.
func (v IBP) AllocateProducerIDs() bool { return v.AtLeast(ibp30_0) }

// RegistrationVersion returns the version of the JSON with which a broker registers: 5, the one with features, from 2.7-IV0 on (core/src/main/scala/kafka/zk/ZkData.scala, BrokerInfo).
func (v IBP) RegistrationVersion() int32 {
	return int32(v.choose([]versionStep{{ibp27, 5}, {ibp010_1, 4}, {0, 2}}))
}

// TopicIDs says whether topics have ids at this IBP (2.8-IV0).
func (v IBP) TopicIDs() bool { return v.AtLeast(ibp28_0) }

// LeaderRecovery says whether partition states know the leader recovery state (3.2-IV0).
func (v IBP) LeaderRecovery() bool { return v.AtLeast(ibp32) }

// Features says whether /feature is enabled (2.7-IV0).
func (v IBP) Features() bool { return v.AtLeast(ibp27) }

// FeatureVersion returns the format version of /feature: 2 from 3.3-IV0 on, else 1.
func (v IBP) FeatureVersion() int {
	if v.AtLeast(ibp33) {
		return 2
	}
	return 1
}
