// Package groups tests consumer groups from outside: with sarama's groups in real time, and with requests made by hand where time or errors matter.
//
// What goes wrong, and the tests that show what happens then (scripts are coordinator/group/testdata/scripts, and TestGroupsLikeApache of integration/interop has Apache's answers to the same
// requests beside ours):
//
//	unknown and stale members and generations     refused.txt, timeouts.txt, TestSilentMemberIsDropped, TestGroupsLikeApache
//	protocol types and protocols that don't match refused.txt, TestGroupsLikeApache
//	metadata and assignments that no record holds TestOversizedMetadata, TestOffsetsTopicOfAnotherKind, storage.txt
//	a commit's metadata beyond the limit          TestCommitErrors, coordinator/offsets TestMetadataTooLarge, TestGroupsLikeApache
//	duplicate static ids                          TestDuplicateInstanceID, static.txt, TestGroupsLikeApache
//	commits for topics that were deleted          TestCommitErrors, coordinator/offsets TestDeletedPartitions
//	commits during a rebalance                    TestCommitsDuringRebalances, refused.txt
//	commits to a coordinator that moved           TestNotCoordinator, TestCoordinatorMovesWhileMembersJoin, coordinator/offsets TestNotTheCoordinator, TestResign
//	a thousand groups; 200 members, 2,000 parts   TestThousandGroups, TestLargeGroup
//	ZooKeeper slow during commits                 TestZooKeeperSlowDuringCommits
//	ZooKeeper gone, and back                      TestZooKeeperAwayDuringCommits, coordinator/offsets TestZooKeeperAwayAndBack
//	a coordinator killed before it answers        TestKilledBetweenCommitAndAnswer, ...AssignmentAndAnswer, ...ReturnOfStaticMemberAndAnswer
//	every offsets partition moves under load      TestOffsetsPartitionsMoveUnderLoad (kills), TestOffsetsPartitionsReassignedUnderLoad (other replicas)
//	too few replicas                              TestTooFewReplicas, coordinator/offsets TestErrorsOfTheLog
//	random histories against a naive model        coordinator/group and coordinator/offsets TestRandomHistories
package groups
