package telemetry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/prekraft/prekraft/broker/telemetry"
)

// A replica is told as JSON, one that isn't here is not found, and a question that names none is refused.
func TestPartitionEndpoint(t *testing.T) {
	h := telemetry.Admin{Partition: func(topic string, partition int32) (telemetry.PartitionView, bool) {
		return telemetry.PartitionView{Topic: topic, Partition: partition, Role: "leader", ISR: []int32{1}}, topic == "t"
	}}.Handler()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	w := get("/partition?topic=t&partition=3")
	require.Equal(t, http.StatusOK, w.Code)
	var view telemetry.PartitionView
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &view))
	require.Equal(t, telemetry.PartitionView{Topic: "t", Partition: 3, Role: "leader", ISR: []int32{1}}, view)
	require.Equal(t, http.StatusNotFound, get("/partition?topic=u&partition=3").Code)
	for _, path := range []string{"/partition", "/partition?topic=t", "/partition?topic=t&partition=x", "/partition?topic=t&partition=-1", "/partition?partition=1", "/partition?topic=t&partition=99999999999"} {
		require.Equal(t, http.StatusBadRequest, get(path).Code, path)
	}
}
