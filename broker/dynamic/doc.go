// Package dynamic keeps this broker's configuration in step with the /config znodes.
//
// # Owner and flow
//
// Whoever changes configs writes the entity's znode and then a notification under /config/changes. Every broker follows the notifications
// ([zkutil.ChangeListener]); [Manager.Run], one goroutine, takes what is new, looks up the entity's *present* configs and applies them:
//
//	brokers/<default>, brokers/<own id>   a new config.Config snapshot, handed to Hooks.BrokerChanged
//	topics/<name>                         the topic's overrides, kept when this broker hosts it, and handed to Hooks.TopicChanged
//
// Order at start: the watch first, then the bulk load, so that nothing falls between; the notifications that were there before the bulk load are in it. What
// ZooKeeper failed to answer is tried again, so no change is lost; what nobody can read is reported and skipped.
//
// A topic's overrides are read when this broker is given its first partition ([Manager.LoadTopics]): making a topic writes no notification.
//
// Facts: reference zookeeper.md §6.8; Kafka source core/src/main/scala/kafka/common/ZkNodeChangeNotificationListener.scala,
// core/src/main/scala/kafka/server/ConfigHandler.scala.
package dynamic
