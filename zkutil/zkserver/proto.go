package zkserver

import "strconv"

// Op is an operation code of the ZooKeeper protocol (org.apache.zookeeper.ZooDefs.OpCode).
type Op int32

// The operations this server knows.
const (
	OpCreate               Op = 1
	OpDelete               Op = 2
	OpExists               Op = 3
	OpGetData              Op = 4
	OpSetData              Op = 5
	OpGetACL               Op = 6
	OpSetACL               Op = 7
	OpGetChildren          Op = 8
	OpSync                 Op = 9
	OpPing                 Op = 11
	OpGetChildren2         Op = 12
	OpCheck                Op = 13
	OpMulti                Op = 14
	OpCreate2              Op = 15
	OpReconfig             Op = 16
	OpCheckWatches         Op = 17
	OpRemoveWatches        Op = 18
	OpCreateContainer      Op = 19
	OpDeleteContainer      Op = 20
	OpCreateTTL            Op = 21
	OpMultiRead            Op = 22
	OpAuth                 Op = 100
	OpSetWatches           Op = 101
	OpSASL                 Op = 102
	OpGetEphemerals        Op = 103
	OpGetAllChildrenNumber Op = 104
	OpSetWatches2          Op = 105
	OpAddWatch             Op = 106
	OpWhoAmI               Op = 107
	OpCreateSession        Op = -10
	OpCloseSession         Op = -11
)

var opNames = map[Op]string{
	OpCreate: "create", OpDelete: "delete", OpExists: "exists", OpGetData: "getData", OpSetData: "setData",
	OpGetACL: "getACL", OpSetACL: "setACL", OpGetChildren: "getChildren", OpSync: "sync", OpPing: "ping",
	OpGetChildren2: "getChildren2", OpCheck: "check", OpMulti: "multi", OpCreate2: "create2", OpReconfig: "reconfig",
	OpCheckWatches: "checkWatches", OpRemoveWatches: "removeWatches", OpCreateContainer: "createContainer",
	OpDeleteContainer: "deleteContainer", OpCreateTTL: "createTTL", OpMultiRead: "multiRead", OpAuth: "auth",
	OpSetWatches: "setWatches", OpSASL: "sasl", OpGetEphemerals: "getEphemerals", OpGetAllChildrenNumber: "getAllChildrenNumber",
	OpSetWatches2: "setWatches2", OpAddWatch: "addWatch", OpWhoAmI: "whoAmI", OpCreateSession: "createSession",
	OpCloseSession: "closeSession",
}

// String returns ZooKeeper's name of the operation.
func (o Op) String() string {
	if n, ok := opNames[o]; ok {
		return n
	}
	return "op(" + strconv.Itoa(int(o)) + ")"
}

// Code is an error code of the ZooKeeper protocol (org.apache.zookeeper.KeeperException.Code); 0 is success.
type Code int32

// The error codes this server answers with, or that a fault rule may ask for.
const (
	CodeOK                      Code = 0
	CodeRuntimeInconsistency    Code = -2
	CodeMarshallingError        Code = -5
	CodeUnimplemented           Code = -6
	CodeOperationTimeout        Code = -7
	CodeBadArguments            Code = -8
	CodeAPIError                Code = -100
	CodeNoNode                  Code = -101
	CodeNoAuth                  Code = -102
	CodeBadVersion              Code = -103
	CodeNoChildrenForEphemerals Code = -108
	CodeNodeExists              Code = -110
	CodeNotEmpty                Code = -111
	CodeSessionExpired          Code = -112
	CodeInvalidACL              Code = -114
	CodeAuthFailed              Code = -115
	CodeSessionMoved            Code = -118
	CodeNoWatcher               Code = -121
	CodeReconfigDisabled        Code = -123
	CodeQuotaExceeded           Code = -125
	CodeThrottledOp             Code = -127
)

var codeNames = map[Code]string{
	CodeOK: "OK", CodeRuntimeInconsistency: "RUNTIMEINCONSISTENCY", CodeMarshallingError: "MARSHALLINGERROR",
	CodeUnimplemented: "UNIMPLEMENTED", CodeOperationTimeout: "OPERATIONTIMEOUT", CodeBadArguments: "BADARGUMENTS",
	CodeAPIError: "APIERROR", CodeNoNode: "NONODE", CodeNoAuth: "NOAUTH", CodeBadVersion: "BADVERSION",
	CodeNoChildrenForEphemerals: "NOCHILDRENFOREPHEMERALS", CodeNodeExists: "NODEEXISTS", CodeNotEmpty: "NOTEMPTY",
	CodeSessionExpired: "SESSIONEXPIRED", CodeInvalidACL: "INVALIDACL", CodeAuthFailed: "AUTHFAILED",
	CodeSessionMoved: "SESSIONMOVED", CodeNoWatcher: "NOWATCHER", CodeReconfigDisabled: "RECONFIGDISABLED",
	CodeQuotaExceeded: "QUOTAEXCEEDED", CodeThrottledOp: "THROTTLEDOP",
}

// String returns ZooKeeper's name of the code.
func (c Code) String() string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return "code(" + strconv.Itoa(int(c)) + ")"
}

const (
	xidEvent = -1
	xidPing  = -2

	eventCreated         = 1
	eventDeleted         = 2
	eventDataChanged     = 3
	eventChildrenChanged = 4
	stateSyncConnected   = 3
)

// Stat is a znode's metadata as clients see it.
type Stat struct {
	Czxid          int64 // transaction that created the node
	Mzxid          int64 // transaction that last set its data
	Ctime          int64 // ms since the Unix epoch, of Czxid
	Mtime          int64 // ms since the Unix epoch, of Mzxid
	Version        int32 // number of setData
	Cversion       int32 // number of child creates and deletes
	Aversion       int32 // number of setACL
	EphemeralOwner int64 // session id, 0 for nodes that are not ephemeral
	DataLength     int32
	NumChildren    int32
	Pzxid          int64 // transaction that last created or deleted a child
}

func putStat(b []byte, s *Stat) []byte {
	b = putInt64(b, s.Czxid)
	b = putInt64(b, s.Mzxid)
	b = putInt64(b, s.Ctime)
	b = putInt64(b, s.Mtime)
	b = putInt32(b, s.Version)
	b = putInt32(b, s.Cversion)
	b = putInt32(b, s.Aversion)
	b = putInt64(b, s.EphemeralOwner)
	b = putInt32(b, s.DataLength)
	b = putInt32(b, s.NumChildren)
	return putInt64(b, s.Pzxid)
}

// connectRequest is the first frame of a connection.
type connectRequest struct {
	lastZxidSeen int64
	timeoutMs    int32
	session      int64
	passwd       []byte
	hasReadOnly  bool
}

func decodeConnect(p []byte) (connectRequest, error) {
	d := decoder{b: p}
	var r connectRequest
	d.int32() // protocolVersion: 0, and nobody ever looked at it
	r.lastZxidSeen = d.int64()
	r.timeoutMs = d.int32()
	r.session = d.int64()
	r.passwd = d.buffer()
	r.hasReadOnly = len(d.b) > 0
	return r, d.err
}

// createRequest is the body of create, create2, createContainer and createTTL.
type createRequest struct {
	path  string
	data  []byte
	acl   []aclEntry // nil when null or empty
	flags int32
	ttl   int64 // ms, noTTL when the operation has none
	// container: the operation was createContainer, which makes one whatever the flags say.
	container bool
}

// noTTL is the TTL of creates that have none. No client can send it: it is no valid duration for either kind of node.
const noTTL = -1 << 63

func (d *decoder) create(op Op) createRequest {
	r := createRequest{container: op == OpCreateContainer}
	r.path = d.path()
	r.data = d.buffer()
	r.acl = d.acls()
	r.flags = d.int32()
	r.ttl = noTTL
	if op == OpCreateTTL {
		r.ttl = d.int64()
	}
	return r
}

// aclEntry is one ACL as it came in. Null strings are kept apart, since the original answers them differently.
type aclEntry struct {
	perms            int32
	scheme, id       string
	noScheme, nullID bool
}

func (d *decoder) acls() []aclEntry {
	n := d.count(12)
	if n <= 0 {
		return nil
	}
	out := make([]aclEntry, 0, n)
	for range n {
		var e aclEntry
		var ok bool
		e.perms = d.int32()
		e.scheme, ok = d.ustring()
		e.noScheme = !ok
		e.id, ok = d.ustring()
		e.nullID = !ok
		out = append(out, e)
	}
	return out
}
