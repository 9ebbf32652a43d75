//! Pages that a browser loads when it first shows them: each page's code is a file of its own beside the main WASM file.

use leptos::prelude::*;
use leptos_router::any_nested_route::{AnyNestedRoute, IntoAnyNestedRoute as _};
use leptos_router::hooks::use_location;
use leptos_router::{ChooseView, NestedRoute, PossibleRouteMatch, RouteDefs, SsrMode};

/// A page's code is in its own file: `lazy!(file, module::Component)`. Pages that name the same file share it.
macro_rules! lazy {
    ($file:ident, $page:path) => {{
        #[leptos::wasm_split::wasm_split($file, wasm_split_path = leptos::wasm_split, fallible, preload(preload))]
        fn $file() -> Result<AnyView, leptos::wasm_split::SplitLoaderError> {
            Ok($page().into_any())
        }

        struct Page;

        impl leptos_router::LazyRoute for Page {
            fn data() -> Self {
                Self
            }

            async fn view(_: Self) -> AnyView {
                #[cfg(feature = "ssr")]
                $crate::ctx::load_at_once(stringify!($file));
                match $file().await {
                    Ok(view) => view,
                    Err(_) => $crate::lazy::load_from_server().await,
                }
            }

            async fn preload() {
                if preload().await.is_err() {
                    $crate::lazy::leave_as_it_is().await;
                }
            }
        }

        leptos_router::Lazy::<Page>::new()
    }};
}
pub(crate) use lazy;

/// All pages, in the order in which they are tried.
pub(crate) type Pages = leptos::tachys::view::iterators::StaticVec<AnyNestedRoute>;

/// One page. `Async` everywhere: without JavaScript the data are in the page, not a spinner.
pub(crate) fn page<P, V>(path: P, view: V) -> AnyNestedRoute
where
    P: PossibleRouteMatch + Clone + std::fmt::Debug + Send + 'static,
    V: ChooseView,
{
    NestedRoute::new(path, view)
        .ssr_mode(SsrMode::Async)
        .into_any_nested_route()
}

/// Loads the file of the page that stands at `path`. Hydration waits for it: until then the document is one without scripts, and a
/// click goes to the server. When it cannot be loaded, the document stays like that, and this never ends.
pub(crate) async fn load(pages: Pages, path: &str) {
    use leptos_router::MatchInterface as _;
    if let Some(found) = RouteDefs::new(pages).match_route(path) {
        found.into_view_and_child().0.preload().await;
    }
}

/// In place of a page whose file cannot be loaded (most often because the server was updated and has files by other names): the
/// whole document anew. What is shown stays until the browser has it.
pub(crate) async fn load_from_server() -> AnyView {
    let to = use_location();
    let (path, search, hash) = (
        to.pathname.get_untracked(),
        to.search.get_untracked(),
        to.hash.get_untracked(),
    );
    let search = if search.is_empty() {
        search
    } else {
        format!("?{search}")
    };
    let there = format!("{path}{search}{hash}");
    let location = window().location();
    let here = [location.pathname(), location.search(), location.hash()];
    // On the way back the address bar is ahead of the page, and going where one is would at most scroll.
    let _ = if here.into_iter().collect::<Result<String, _>>() == Ok(there.clone()) {
        location.reload()
    } else {
        location.set_href(&there)
    };
    std::future::pending().await
}

/// Waits for ever.
pub(crate) async fn leave_as_it_is() {
    std::future::pending().await
}
