// Package dynamic keeps this broker's configuration in step with the /config znodes.
//
// # Owner and flow
//
// Whoever changes configs writes the entity's znode and then a notification under /config/changes. Every broker watches the notifications; [Manager.Run], one
// goroutine, reads what is new, looks up the entity's *present* configs and applies them:
//
//	brokers/<default>, brokers/<own id>   a new config.Config snapshot, handed to Hooks.BrokerChanged
//	topics/<name>                         the topic's overrides, handed to Hooks.TopicChanged when this broker hosts it
//
// Order at start: the watch first, then the bulk load, so that nothing falls between. Notifications older than 15 minutes are deleted by whoever sees them.
//
// A topic's overrides are read when this broker is given its first partition ([Manager.LoadTopics]): making a topic writes no notification.
//
// Facts: reference zookeeper.md §6.8; Kafka source core/src/main/scala/kafka/common/ZkNodeChangeNotificationListener.scala,
// core/src/main/scala/kafka/server/ConfigHandler.scala.
package dynamic
