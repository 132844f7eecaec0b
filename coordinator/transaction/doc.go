// Package transaction hands out producer ids and, later, coordinates transactions.
//
// Producer ids are unique in a cluster for ever. The controller gives each broker blocks of 1000 (znode /latest_producer_id_block); [ProducerIDs]
// hands the ids of this broker's block to producers and fetches the next block before the present one runs out.
//
// Facts: reference zookeeper.md §6.15, controller.md §20; Kafka source
// core/src/main/scala/kafka/coordinator/transaction/ProducerIdManager.scala.
package transaction
