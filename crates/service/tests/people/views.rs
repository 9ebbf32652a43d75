//! Saved views and the export of the status view (STA-1).

use crate::support::*;
use domain::{Category, PatchState, Role, Severity, ViewId};
use service::{Actor, Error};
use view::{Field, PatchFilter, PatchSort, Problem, SavedView, Why};

async fn views(w: &World, actor: &Actor) -> Vec<SavedView> {
    w.service.patches(actor, &PatchFilter::default()).await.unwrap().views
}

#[tokio::test]
async fn a_view_is_a_persons_own() {
    let w = world().await;
    let filter = PatchFilter {
        q: "open ssl&".to_owned(),
        severity: Some(Severity::Important),
        category: Some(Category::Security),
        sort: PatchSort::Product,
        page: 7,
        ..PatchFilter::default()
    };
    w.service.save_view(&w.administrator, " mine ", &filter).await.unwrap();
    let own = views(&w, &w.administrator).await;
    assert_eq!((own.len(), own[0].name.as_str()), (1, "mine"));
    assert_eq!(
        own[0].filter,
        PatchFilter {
            page: 0,
            ..filter.clone()
        }
    );

    let bert = w.person(Role::Auditor).await;
    assert_eq!(views(&w, &bert).await, []);
    assert!(matches!(
        w.service.delete_view(&bert, own[0].id).await,
        Err(Error::NotFound)
    ));
    assert_eq!(views(&w, &w.administrator).await.len(), 1);

    // The same name, however it is written, is the same view.
    w.service
        .save_view(&w.administrator, "Mine", &PatchFilter::default())
        .await
        .unwrap();
    let again = views(&w, &w.administrator).await;
    assert_eq!((again.len(), again[0].name.as_str()), (1, "Mine"));
    assert_eq!(again[0].filter, PatchFilter::default());
    w.service.delete_view(&w.administrator, again[0].id).await.unwrap();
    assert_eq!(views(&w, &w.administrator).await, []);
    let gone = w.service.delete_view(&w.administrator, ViewId(i64::MAX)).await;
    assert!(matches!(gone, Err(Error::NotFound)));
}

#[tokio::test]
async fn a_view_needs_a_name_and_an_account_and_there_are_not_endlessly_many() {
    let w = world().await;
    let plain = PatchFilter::default();
    for (name, problem) in [
        ("", Problem::Missing),
        ("a\u{202e}b", Problem::Control),
        (&"x".repeat(65), Problem::TooLong { max: 64 }),
    ] {
        let refused = w.service.save_view(&w.administrator, name, &plain).await;
        let Err(Error::Invalid { field, problem: found }) = refused else {
            panic!("{name:?}: {refused:?}");
        };
        assert_eq!((field, found), (Field::ViewName, problem));
    }
    let host = w.service.save_view(&Actor::host(), "a", &plain).await;
    assert!(matches!(host, Err(Error::NotSignedIn)));

    for n in 0..30 {
        w.service
            .save_view(&w.administrator, &n.to_string(), &plain)
            .await
            .unwrap();
    }
    let one_more = w.service.save_view(&w.administrator, "one more", &plain).await;
    assert!(matches!(one_more, Err(Error::Refused(Why::TooManyViews))));
    w.service.save_view(&w.administrator, "7", &plain).await.unwrap();
    assert_eq!(views(&w, &w.administrator).await.len(), 30);
}

#[tokio::test]
async fn the_export_is_every_page_of_the_list() {
    let w = world().await;
    let device = w.device(1, "p1").await;
    for n in 0..120 {
        let patch = w.patch(&format!("product-{}", n % 7), &format!("1.{n}")).await;
        w.state(device, patch, PatchState::Missing, false).await;
    }
    for q in ["", "product-3", "nothing has this name"] {
        let filter = |page| PatchFilter {
            q: q.to_owned(),
            sort: PatchSort::Product,
            page,
            ..PatchFilter::default()
        };
        let (rings, all) = w.service.all_patches(&w.administrator, &filter(2)).await.unwrap();
        let first = w.service.patches(&w.administrator, &filter(1)).await.unwrap();
        assert_eq!((rings, all.len()), (first.rings.clone(), first.total as usize));
        let mut pages = Vec::new();
        for page in 1..=first.pages {
            pages.extend(w.service.patches(&w.administrator, &filter(page)).await.unwrap().rows);
        }
        assert_eq!(all, pages);
    }
}
