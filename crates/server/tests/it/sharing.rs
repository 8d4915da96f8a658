//! What nodes on one database tell each other, and what a node knows of it after a restart.

use crate::guild::{Guild, HOUR, NOON};
use guildhall::accounts::guesses::{self, Try};
use guildhall::accounts::sign_in::Refusal;
use guildhall::sharing;
use std::net::IpAddr;

#[tokio::test]
async fn guesses_are_known_to_other_nodes_and_after_a_restart() {
    let guild = Guild::new().await;
    let (here, there) = (Try::From(IpAddr::from([192, 0, 2, 1])), Try::From(IpAddr::from([192, 0, 2, 2])));
    for _ in 0..10 {
        assert_eq!(guild.app.guesses.take_here(&[here.clone()], NOON), Ok(()));
    }
    assert_eq!(guild.app.guesses.take_here(&[there.clone()], NOON), Ok(()));
    sharing::tell(&guild.app).await.unwrap();
    let other = guild.restarted().await;
    assert_eq!(other.app.guesses.take_here(&[here.clone()], NOON), Err(20));
    assert_eq!(other.app.guesses.take_here(&[there.clone()], NOON), Ok(()));
    // What was right there is given back here as well.
    other.app.guesses.give_back(&[there.clone()]);
    sharing::tell(&other.app).await.unwrap();
    for _ in 0..9 {
        assert_eq!(other.app.guesses.take_here(&[there.clone()], NOON), Ok(()));
    }
    assert_eq!(other.app.guesses.take_here(&[there], NOON), Err(20));
    // Nobody reads in the database who guessed at what.
    let named = "select count(*) from guesses where length(name) = 64";
    assert_eq!(guild.number(named).await, 2);
    guild.pass(HOUR);
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(guild.number("select count(*) from guesses").await, 0);
}

#[tokio::test]
async fn who_has_guessed_elsewhere_is_known_where_they_have_not() {
    let guild = Guild::new().await;
    let other = guild.restarted().await;
    let tries = [Try::From(IpAddr::from([192, 0, 2, 1]))];
    for _ in 0..10 {
        assert!(guesses::take(&guild.app, &tries).await.is_ok());
    }
    sharing::tell(&guild.app).await.unwrap();
    let there = guesses::take(&other.app, &tries).await;
    // A file has one node.
    assert_eq!(matches!(there, Err(Refusal::Wait(20))), guild.app.db.is_server());
}

#[tokio::test]
async fn what_is_done_once_is_done_by_one() {
    let guild = Guild::new().await;
    let lease = async |now: i64| {
        guild.app.db.write(move |tx| sharing::lease(tx, "sweep", now, now + HOUR)).await.unwrap()
    };
    assert_eq!([lease(NOON).await, lease(NOON + HOUR - 1).await], [true, false]);
    assert_eq!([lease(NOON + HOUR).await, lease(NOON + HOUR).await], [true, false]);
}
